import FilePaths
import Glibc

/// Who may read and write a file, without who may run it.
public struct FileAccess: Sendable, Equatable {
    /// Permission bits, as of chmod(2), at most 0o666.
    public let mode: UInt32
    /// The group that the mode's group bits are for; `nil`: any.
    public let group: UInt32?

    /// What the process's mask allows.
    public static let unlimited = FileAccess(mode: 0o666, group: nil)

    public init(mode: UInt32, group: UInt32?) {
        self.mode = mode & 0o666
        self.group = group
    }

    /// Of a file, links followed; `nil` where there is none.
    ///
    /// - Parameter path: in the text form of `Path`.
    public init?(path: String) {
        guard let status = try? Path(path).status() else { return nil }
        self.init(status)
    }

    init(_ status: stat) { self.init(mode: UInt32(status.st_mode), group: UInt32(status.st_gid)) }

    /// What each of these files allows; unlimited where there are none.
    public static func common(to files: [FileAccess]) -> FileAccess {
        let mode = files.reduce(unlimited.mode) { $0 & $1.mode }
        let groups = Set(files.map(\.group))
        guard groups.count > 1 else { return FileAccess(mode: mode, group: files.first?.group) }
        return FileAccess(mode: shared(mode), group: nil)
    }

    /// The mode that allows no more than this in a file of that group.
    func mode(of group: UInt32) -> UInt32 {
        self.group == nil || self.group == group ? mode : Self.shared(mode)
    }

    /// With what the group and all others may do alike: in a file of another group, either may count as the other.
    private static func shared(_ mode: UInt32) -> UInt32 {
        let both = mode & (mode >> 3) & 0o006
        return mode & 0o600 | both << 3 | both
    }
}
