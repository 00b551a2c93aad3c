import FilePaths
import Glibc
import JSON

/// Reads files, and pipes and devices by their names too (`<(…)`, `/dev/stdin`).
extension Files {
    /// The most bytes that are read of a pipe or a device where the caller gives no other limit: as many as the largest
    /// array of tokens has.
    static let streamBytes = 513 << 20

    /// The whole of a file; `-` is standard input.
    ///
    /// - Parameter limit: bytes of a pipe or a device, which may have no end; a file ends by itself.
    static func read(_ path: Path, limit: Int = streamBytes) throws -> [UInt8] {
        if path == "-" { return try read(STDIN_FILENO, path, limit) }
        if path.isFolder { throw CommandFailure("\(path): is a folder, expected a file") }
        let descriptor = path.open(O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw systemError(path) }
        defer { close(descriptor) }
        return try read(descriptor, path, limit)
    }

    /// A text in UTF-8, not checked to be that, without the byte order mark that it may begin with.
    ///
    /// - Parameter limit: as of `read`.
    static func text(_ path: Path, limit: Int) throws -> ArraySlice<UInt8> {
        let bytes = try read(path, limit: limit)
        let mark = ByteOrderMark(startOf: bytes)
        if let refusal = mark?.refusal { throw CommandFailure("\(path): \(refusal)") }
        return bytes.dropFirst(mark?.bytes.count ?? 0)
    }

    private static func read(_ descriptor: Int32, _ path: Path, _ limit: Int) throws -> [UInt8] {
        var status = stat()
        guard fstat(descriptor, &status) == 0 else { throw systemError(path) }
        let isFile = status.st_mode & S_IFMT == S_IFREG
        var bytes: [UInt8] = []
        if isFile { bytes.reserveCapacity(Int(status.st_size)) }
        var piece = [UInt8](repeating: 0, count: 1 << 18)
        while true {
            let count = Glibc.read(descriptor, &piece, piece.count)
            if count == 0 { return bytes }
            if count > 0 {
                bytes += piece[..<count]
            } else if errno != EINTR {
                throw systemError(path)
            }
            guard isFile || bytes.count <= limit else {
                let name = path == "-" ? "standard input" : "\(path)"
                throw CommandFailure("\(name): goes on after \(limit) bytes, expected no more")
            }
        }
    }

    private static func systemError(_ path: Path) -> CommandFailure {
        CommandFailure("\(path): cannot be read: \(String(cString: strerror(errno)))")
    }
}
