/// A picture that is left out, and why.
package struct SkippedPicture: Sendable, Equatable {
    package let path: String
    /// One line without the path.
    package let reason: String

    package init(path: String, reason: String) {
        self.path = path
        self.reason = reason
    }
}
