import Checkpoint
import FilePaths
import Glibc
import JSON

/// Why a training log can't be read or written. One line that begins with the file's path.
package enum TrainingLogError: Error, Sendable, CustomStringConvertible {
    /// `reason` is the system's own word.
    case file(path: String, action: String, reason: String)
    /// - Parameter number: of the line, from 1.
    case line(path: String, number: Int, TrainingRecordError)
    case notAFile(path: String)
    case rewrite(FileWriteError)

    package var description: String {
        switch self {
        case .file(let path, let action, let reason): "\(path): cannot be \(action): \(reason)"
        case .line(let path, let number, let error):
            "\(path): line \(number) is not a record of a training log: \(error); remove this file to go on without it"
        case .notAFile(let path): "\(path): is not a regular file"
        case .rewrite(let error): error.description
        }
    }
}

/// The log of a run as JSON lines: one `TrainingRecord` a line, appended with one `write` each, so that a reader who
/// follows the file sees whole lines.
///
/// A process that is killed leaves at most a last line cut short, and lines of steps that the run will take again from
/// its last checkpoint; opening the log drops both.
package struct TrainingLog: ~Copyable {
    /// Puts bytes into a descriptor as `write` does: a count, or -1 and `errno`.
    typealias Write = @Sendable (Int32, UnsafeRawBufferPointer) -> Int

    package let path: String
    /// Those kept on opening and those appended since, in the order of the file.
    package private(set) var records: [TrainingRecord]
    private let descriptor: Int32
    private let write: Write

    /// Opens the log, or begins one where there is no file.
    ///
    /// - Parameter step: the last step whose records are kept; -1 keeps none. Lines that stay keep their bytes.
    package init(path: String, keepingThrough step: Int) throws(TrainingLogError) {
        let bytes = try Self.read(path)
        let kept = try Self.kept(of: bytes, through: step, path: path)
        if kept.bytes != bytes {
            do throws(FileWriteError) {
                try AtomicFile.write(kept.bytes, to: path)
            } catch {
                throw .rewrite(error)
            }
        }
        let descriptor = Path(path).open(O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, mode: 0o644)
        guard descriptor >= 0 else { throw Self.systemError(path, "opened") }
        self.init(path: path, descriptor: descriptor, records: kept.records)
    }

    /// Takes the descriptor over.
    init(
        path: String, descriptor: Int32, records: [TrainingRecord] = [],
        write: @escaping Write = { Glibc.write($0, $1.baseAddress, $1.count) }
    ) {
        self.path = path
        self.descriptor = descriptor
        self.records = records
        self.write = write
    }

    deinit { close(descriptor) }

    /// Adds one line. Where that fails, the file is as before.
    package mutating func append(_ record: TrainingRecord) throws(TrainingLogError) {
        let line = record.json.write() + [UInt8(ascii: "\n")]
        let end = lseek(descriptor, 0, SEEK_END)
        guard let code = line.withUnsafeBytes({ put($0) }) else {
            records.append(record)
            return
        }
        if end >= 0 { _ = ftruncate(descriptor, end) }
        throw .file(path: path, action: "written", reason: String(cString: strerror(code)))
    }

    /// Returns the system's error, `nil` where all was written.
    private func put(_ line: UnsafeRawBufferPointer) -> Int32? {
        var rest = line
        while !rest.isEmpty {
            let count = write(descriptor, rest)
            if count > 0 {
                rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
            } else if count == 0 {
                return EIO
            } else if errno != EINTR {
                return errno
            }
        }
        return nil
    }
}

extension TrainingLog {
    private static func systemError(_ path: String, _ action: String) -> TrainingLogError {
        .file(path: path, action: action, reason: String(cString: strerror(errno)))
    }

    /// The whole file; nothing where there is none.
    private static func read(_ path: String) throws(TrainingLogError) -> [UInt8] {
        // Without O_NONBLOCK, opening a pipe would wait for its writer.
        let descriptor = Path(path).open(O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        if descriptor < 0 && errno == ENOENT { return [] }
        guard descriptor >= 0 else { throw systemError(path, "read") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw systemError(path, "read") }
        guard status.st_mode & S_IFMT == S_IFREG else { throw .notAFile(path: path) }
        var bytes: [UInt8] = []
        var block = [UInt8](repeating: 0, count: 1 << 16)
        while true {
            let count = Glibc.read(descriptor, &block, block.count)
            if count == 0 { return bytes }
            if count > 0 {
                bytes.append(contentsOf: block[..<count])
            } else if errno != EINTR {
                throw systemError(path, "read")
            }
        }
    }

    private static func kept(
        of bytes: [UInt8], through step: Int, path: String
    ) throws(TrainingLogError) -> (bytes: [UInt8], records: [TrainingRecord]) {
        var kept: [UInt8] = []
        var records: [TrainingRecord] = []
        var start = 0
        var number = 0
        while start < bytes.count {
            let end = bytes[start...].firstIndex(of: UInt8(ascii: "\n")) ?? bytes.count
            let line = bytes[start..<end]
            start = end + 1
            number += 1
            do throws(TrainingRecordError) {
                let record = try TrainingRecord(parsing: line)
                guard record.step <= step else { continue }
                records.append(record)
                kept.append(contentsOf: line)
                kept.append(UInt8(ascii: "\n"))
            } catch {
                guard end == bytes.count else { throw .line(path: path, number: number, error) }
            }
        }
        return (kept, records)
    }
}
