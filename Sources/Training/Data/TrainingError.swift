/// Why a training set can't be made or read: one clear line.
package struct TrainingError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}
