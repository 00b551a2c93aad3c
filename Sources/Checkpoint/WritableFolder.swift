import FilePaths
import Glibc

/// Folders to write into.
public enum WritableFolder {
    /// Makes a folder, and those above it that are missing; one that is there stays as it is.
    public static func make(_ path: String) throws(FileWriteError) {
        let whole = Path(path)
        if whole.isFolder { return }
        let names = whole.components
        for count in 1..<max(2, names.count + 1) {
            let part = Path.joined(names.prefix(count), isAbsolute: whole.isAbsolute)
            if part.withCString({ mkdir($0, 0o777) }) == 0 { continue }
            var reason = "\(SystemError())"
            if part.isFolder { continue }
            if part.exists { reason = "\(part) is not a folder" }
            throw FileWriteError(path: path, step: .makeFolder, reason: reason)
        }
    }
}
