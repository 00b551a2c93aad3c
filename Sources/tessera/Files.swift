import Checkpoint
import FilePaths
import Glibc

/// Files that commands read and write.
enum Files {
    /// To `path`, or to standard output where it is `nil`.
    static func write(_ bytes: [UInt8], to path: Path?) throws {
        guard let path else { return try write(bytes, to: STDOUT_FILENO, name: "standard output") }
        try requireWritable(path)
        let descriptor = path.open(O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC)
        guard descriptor >= 0 else { throw CommandFailure("\(path): cannot be written: \(SystemError())") }
        defer { close(descriptor) }
        try write(bytes, to: descriptor, name: "\(path)")
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32, name: String) throws {
        guard !LogWriter.write(bytes, to: descriptor) else { return }
        throw CommandFailure("\(name): cannot be written: \(SystemError())")
    }

    /// Where outputs go, by name: one to the file `out`; several, or where `out` is a folder or ends in a slash, into
    /// the folder `out`, which is made.
    static func outputs(_ out: Path, count: Int) throws -> (_ name: Path) -> Path {
        if count == 1, !out.endsInSlash, !out.isFolder {
            try requireWritable(out)
            return { _ in out }
        }
        try WritableFolder.make(out.description)
        try requireWritable(folder: out)
        return { out.appending($0) }
    }

    /// Refuses inputs whose outputs would have the same name, before anything is computed.
    static func checkNames(_ paths: [Path]) throws {
        let names = Dictionary(grouping: paths, by: \.stem)
        guard let (name, twins) = names.first(where: { $0.value.count > 1 }) else { return }
        let told = twins.map(\.description).joined(separator: " and ")
        throw CommandFailure("--out: \(told) would both be written as \(name).png")
    }

    /// The name of what is made of a file, "b.png" of "a/b.jpg".
    ///
    /// - Parameter mark: in ASCII, goes behind the file's own name.
    static func picture(named path: Path, _ mark: String = "") -> Path {
        Path(bytes: path.stem.bytes + mark.utf8 + ".png".utf8)
    }
}

/// A command that can't go on: one line.
struct CommandFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
