/// Images that take about as long as one another.
public struct WorkKind: Sendable, Hashable {
    public enum Operation: String, Sendable, Hashable, CaseIterable {
        case encode, decode, reconstruct
    }

    public let operation: Operation
    let model: String
    let steps: Int?

    /// - Parameter steps: of decoding, where the request tells them.
    public init(_ operation: Operation, model: String, steps: Int? = nil) {
        (self.operation, self.model, self.steps) = (operation, model, steps)
    }
}
