import FilePaths
import Glibc

/// Writes files so that at every moment the whole old file or the whole new one is there, after a crash too.
///
/// The new file grows in the same folder under a hidden name of its own that ends in `.partial`, is flushed to disk,
/// and takes the old one's place by rename(2). A process that is killed meanwhile leaves the partial file behind, never
/// a broken one under the name asked for.
public enum AtomicFile {
    /// Replaces or creates a file with what `body` writes. Where `body` throws, or the system fails, the partial file
    /// is removed and the old file stays.
    ///
    /// What is at the path and isn't a regular file (a folder, a device, a symbolic link) is refused.
    ///
    /// - Parameter access: what the new file allows at most; the process's mask may allow less.
    public static func write(
        _ path: String, access: FileAccess = .unlimited, _ body: (inout FileSink) throws(FileWriteError) -> Void
    ) throws(FileWriteError) {
        try write(path, access: access, calls: FileCalls(), body)
    }

    public static func write(_ bytes: [UInt8], to path: String) throws(FileWriteError) {
        try write(path) { (sink) throws(FileWriteError) in try sink.write(bytes) }
    }

    /// Removes what writers that were killed have left in a folder.
    ///
    /// - Precondition: no process writes to the folder.
    public static func removePartials(in folder: String) {
        let folder = Path(folder)
        for name in (try? folder.entries()) ?? [] where name.hasPrefix(".") && name.hasSuffix(".partial") {
            folder.appending(name).unlink()
        }
    }

    static func write(
        _ path: String, access: FileAccess = .unlimited, calls: FileCalls,
        _ body: (inout FileSink) throws(FileWriteError) -> Void
    ) throws(FileWriteError) {
        let place = try Place(path)
        let (descriptor, partial) = try place.createPartial(access)
        var sink = FileSink(descriptor: descriptor, path: path, calls: calls)
        do throws(FileWriteError) {
            defer { close(descriptor) }
            try body(&sink)
            try sink.finish()
            if let code = FileCalls.failure(of: { calls.rename(place.folder, partial, place.name) }) {
                throw place.error(.rename, code, bytesWritten: sink.position)
            }
        } catch {
            Path(partial).withCString { _ = unlinkat(place.folder, $0, 0) }
            throw error
        }
        // Some file systems have no fsync for folders, and say so.
        if let code = FileCalls.failure(of: { calls.sync(place.folder) }), code != EINVAL, code != ENOTSUP {
            throw place.error(.folderSync, code, bytesWritten: sink.position)
        }
    }
}

/// A name in an open folder: it stays the same place while the folder or the process moves.
private struct Place: ~Copyable {
    /// Both in the text form of `Path`.
    let path: String
    let name: String
    let folder: Int32

    /// Throws where there is no such folder, or what has that name already isn't a regular file.
    init(_ path: String) throws(FileWriteError) {
        func error(_ step: FileWriteError.Step, _ reason: String) -> FileWriteError {
            FileWriteError(path: path, step: step, reason: reason)
        }
        let whole = Path(path), name = whole.name
        guard !name.bytes.isEmpty, !whole.endsInSlash else {
            throw error(.target, "the path does not end with a file's name")
        }
        let folder = whole.folder.open(O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw error(.folder, String(cString: strerror(errno))) }
        var status = stat()
        let found = name.withCString { fstatat(folder, $0, &status, AT_SYMLINK_NOFOLLOW) }
        if found != 0, errno == ENAMETOOLONG {
            close(folder)
            throw error(.create, "\(SystemError(ENAMETOOLONG))")
        }
        if found == 0, status.st_mode & S_IFMT != S_IFREG {
            close(folder)
            throw error(.target, "exists and is not a regular file")
        }
        self.path = path
        self.name = name.description
        self.folder = folder
    }

    deinit { close(folder) }

    /// Of files that are made in the folder.
    private var newGroup: UInt32 {
        var status = stat()
        guard fstat(folder, &status) == 0, status.st_mode & S_ISGID != 0 else { return getegid() }
        return status.st_gid
    }

    func createPartial(_ access: FileAccess) throws(FileWriteError) -> (descriptor: Int32, name: String) {
        let mode = access.mode(of: newGroup)
        var code = EEXIST
        // A name has 255 bytes at most, with what is put before and behind it too.
        let start = Path(bytes: Path(name).bytes.prefix(200))
        for _ in 0..<100 where code == EEXIST || code == EINTR {
            let digits = String(UInt32.random(in: 0x1000_0000...UInt32.max), radix: 16)
            let partial = ".\(start).\(digits).partial"
            let descriptor = Path(partial).withCString {
                openat(folder, $0, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode_t(mode))
            }
            if descriptor >= 0 { return (descriptor, partial) }
            code = errno
        }
        throw error(.create, code, bytesWritten: 0)
    }

    func error(_ step: FileWriteError.Step, _ code: Int32, bytesWritten: Int) -> FileWriteError {
        FileWriteError(path: path, step: step, reason: String(cString: strerror(code)), bytesWritten: bytesWritten)
    }
}
