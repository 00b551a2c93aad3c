import FilePaths
import Glibc

/// Owns a read-only mapping of a whole file. The bytes are valid while the owner lives.
///
/// A file that shrinks while it is mapped ends the process with SIGBUS: model files are replaced by renaming.
struct MappedFile: ~Copyable, @unchecked Sendable {
    // Unchecked because the compiler can't see that the mapping is never written to.

    /// The whole file, at least one byte, page-aligned.
    let bytes: UnsafeRawBufferPointer
    /// Of the file that is mapped, whatever has its name by now.
    let stamp: FileStamp
    let access: FileAccess

    /// Throws `unreadable`, `notAFile` or `empty`.
    init(path: String) throws(CheckpointError) {
        // Without O_NONBLOCK, opening a pipe would wait for its writer.
        let descriptor = Path(path).open(O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw Self.systemError(path) }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw Self.systemError(path) }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notAFile(path: path) }
        let size = Int(status.st_size)
        guard size > 0 else { throw .empty(path: path) }
        guard let address = mmap(nil, size, PROT_READ, MAP_SHARED, descriptor, 0), address != MAP_FAILED else {
            throw Self.systemError(path)
        }
        bytes = UnsafeRawBufferPointer(start: address, count: size)
        stamp = FileStamp(status)
        access = FileAccess(status)
    }

    /// Lets the pages under a part go, so that a file read through doesn't stay resident beside what was made of it.
    /// They come back from the file when they are read again.
    func release(_ part: UnsafeRawBufferPointer) {
        guard let start = part.baseAddress, let base = bytes.baseAddress, !part.isEmpty else { return }
        let page = sysconf(Int32(_SC_PAGESIZE))
        let first = (start - base) / page * page
        madvise(UnsafeMutableRawPointer(mutating: base + first), start - base + part.count - first, MADV_DONTNEED)
    }

    deinit {
        munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count)
    }

    private static func systemError(_ path: String) -> CheckpointError {
        .unreadable(path: path, reason: String(cString: strerror(errno)))
    }
}

extension UnsafeRawBufferPointer {
    /// The little-endian number at that offset; `nil` where it would reach outside the buffer.
    func littleEndian<Number: FixedWidthInteger>(_ type: Number.Type = Number.self, at offset: Int) -> Number? {
        guard offset >= 0, offset <= count, count - offset >= MemoryLayout<Number>.size else { return nil }
        return Number(littleEndian: loadUnaligned(fromByteOffset: offset, as: Number.self))
    }

    /// `length` bytes from `start`; `nil` where they would reach outside the buffer.
    func part(_ start: Int, _ length: Int) -> UnsafeRawBufferPointer? {
        guard start >= 0, length >= 0, start <= count, count - start >= length else { return nil }
        return UnsafeRawBufferPointer(rebasing: self[start..<start + length])
    }
}
