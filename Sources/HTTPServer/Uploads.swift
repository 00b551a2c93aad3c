import Synchronization

/// Bytes of bodies that are on their way, over all connections.
final class Uploads: Sendable {
    private let limit: Int
    private let bytes = Atomic<Int>(0)

    init(limit: Int) {
        self.limit = limit
    }

    var total: Int { bytes.load(ordering: .relaxed) }

    /// - Returns: whether they are within the limit.
    func add(_ count: Int) -> Bool {
        bytes.add(count, ordering: .relaxed).newValue <= limit
    }
}
