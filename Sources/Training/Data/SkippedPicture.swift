import FilePaths

/// An image that is left out, and why.
package struct SkippedPicture: Sendable, Equatable {
    package let path: Path
    /// One line without the path.
    package let reason: String

    package init(path: Path, reason: String) {
        self.path = path
        self.reason = reason
    }
}
