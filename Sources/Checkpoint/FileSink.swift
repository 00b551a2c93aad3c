import FilePaths
import Glibc

/// The calls to the system that a full disk or a broken one lets fail; tests put others in their place.
///
/// Each returns a negative number and sets `errno` where it fails.
struct FileCalls: Sendable {
    var write: @Sendable (Int32, UnsafeRawPointer, Int) -> Int = { Glibc.write($0, $1, $2) }
    var sync: @Sendable (Int32) -> Int32 = { fsync($0) }
    /// Folder, old name, new name.
    var rename: @Sendable (Int32, String, String) -> Int32 = { folder, old, new in
        Path(old).withCString { old in Path(new).withCString { renameat(folder, old, folder, $0) } }
    }

    /// Calls again for as long as a signal interrupts; returns `errno` where the call failed, else `nil`.
    static func failure(of call: () -> Int32) -> Int32? {
        while call() < 0 {
            if errno != EINTR { return errno }
        }
        return nil
    }
}

/// What a file under construction is written to, through a buffer of 1 MiB; large pieces go past it.
///
/// After a failure every further call throws it again, so that one that was overlooked can't leave a gap.
public struct FileSink: ~Copyable {
    private static let capacity = 1 << 20

    /// The path that errors name.
    public let path: String
    private let descriptor: Int32
    private let calls: FileCalls
    private var buffer: [UInt8] = []
    /// Bytes that the system has taken.
    private var written = 0
    private var failure: FileWriteError?

    /// - Parameter descriptor: open for writing, and open for as long as the sink is used.
    init(descriptor: Int32, path: String, calls: FileCalls = FileCalls()) {
        self.descriptor = descriptor
        self.path = path
        self.calls = calls
        buffer.reserveCapacity(Self.capacity)
    }

    /// Bytes given so far: the offset in the file of what comes next.
    public var position: Int { written + buffer.count }

    public mutating func write(_ bytes: UnsafeRawBufferPointer) throws(FileWriteError) {
        if let failure { throw failure }
        if buffer.count + bytes.count > Self.capacity { try flush() }
        if bytes.count >= Self.capacity {
            try writeThrough(bytes)
        } else {
            buffer.append(contentsOf: bytes)
        }
    }

    public mutating func write(_ bytes: [UInt8]) throws(FileWriteError) {
        try bytes.withUnsafeBufferPointer { (bytes) throws(FileWriteError) in try write(UnsafeRawBufferPointer(bytes)) }
    }

    /// Writes the text in UTF-8.
    public mutating func write(_ text: String) throws(FileWriteError) { try write(Array(text.utf8)) }

    /// Gives what is buffered to the system.
    mutating func flush() throws(FileWriteError) {
        var bytes: [UInt8] = []
        swap(&bytes, &buffer)
        try bytes.withUnsafeBufferPointer { (bytes) throws(FileWriteError) in
            try writeThrough(UnsafeRawBufferPointer(bytes))
        }
        bytes.removeAll(keepingCapacity: true)
        swap(&bytes, &buffer)
    }

    /// Flushes the buffer, and the file to the disk.
    mutating func finish() throws(FileWriteError) {
        try flush()
        if let code = FileCalls.failure(of: { calls.sync(descriptor) }) { throw fail(.sync, code) }
    }

    private mutating func writeThrough(_ bytes: UnsafeRawBufferPointer) throws(FileWriteError) {
        if let failure { throw failure }
        var rest = bytes[...]
        while !rest.isEmpty {
            let part = UnsafeRawBufferPointer(rebasing: rest)
            guard let start = part.baseAddress else { return }
            let count = calls.write(descriptor, start, part.count)
            if count > 0 {
                written += count
                rest = rest.dropFirst(count)
            } else if count == 0 {
                throw fail(.write, EIO)
            } else if errno != EINTR {
                throw fail(.write, errno)
            }
        }
    }

    private mutating func fail(_ step: FileWriteError.Step, _ code: Int32) -> FileWriteError {
        let error = FileWriteError(
            path: path, step: step, reason: String(cString: strerror(code)), bytesWritten: written)
        failure = error
        return error
    }
}
