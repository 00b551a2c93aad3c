import Glibc

/// Folders to write into.
public enum WritableFolder {
    /// Makes a folder, and those above it that are missing; one that is there stays as it is.
    public static func make(_ path: String) throws(FileWriteError) {
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR { return }
        let names = path.split(separator: "/")
        for count in 1..<max(2, names.count + 1) {
            let part = (path.hasPrefix("/") ? "/" : "") + names.prefix(count).joined(separator: "/")
            if mkdir(part, 0o777) == 0 { continue }
            var reason = String(cString: strerror(errno))
            if stat(part, &status) == 0 {
                if status.st_mode & S_IFMT == S_IFDIR { continue }
                reason = "\(part) is not a folder"
            }
            throw FileWriteError(path: path, step: .makeFolder, reason: reason)
        }
    }
}
