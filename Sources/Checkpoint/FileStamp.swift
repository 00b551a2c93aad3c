import Glibc

/// What tells a file from what it was, without reading it.
public struct FileStamp: Sendable, Equatable {
    /// In bytes.
    public let size: Int
    /// Of its last change, in nanoseconds since 1970; only ever compared, so a time in another century may wrap.
    public let modified: Int

    public init(size: Int, modified: Int) {
        self.size = size
        self.modified = modified
    }

    init(_ status: stat) {
        self.init(
            size: Int(status.st_size),
            modified: Int(status.st_mtim.tv_sec) &* 1_000_000_000 &+ Int(status.st_mtim.tv_nsec))
    }
}
