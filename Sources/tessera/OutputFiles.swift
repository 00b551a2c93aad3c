import FilePaths
import Glibc

/// Checks of output paths, made before the computing, whose results would be lost.
extension Files {
    /// - Throws: where nothing can be written to `path`, as far as that can be known without doing it.
    static func requireWritable(_ path: Path) throws {
        if path.isFolder { throw CommandFailure("\(path): is a folder, expected a file to write") }
        guard !path.bytes.isEmpty, !path.endsInSlash else {
            throw CommandFailure("'\(path)': names no file, expected one to write")
        }
        if path.exists { return try require(W_OK, of: path, for: path) }
        let folder = path.folder
        guard folder.isFolder else {
            throw CommandFailure("\(path): cannot be written: there is no folder \(folder)")
        }
        try require(W_OK | X_OK, of: folder, for: path)
    }

    /// As `requireWritable`, for new files in a folder that is there.
    static func requireWritable(folder: Path) throws { try require(W_OK | X_OK, of: folder, for: folder) }

    private static func require(_ mode: Int32, of place: Path, for path: Path) throws {
        if let refusal = place.refusal(of: mode) { throw CommandFailure("\(path): cannot be written: \(refusal)") }
    }

    /// Refuses a folder for outputs that is one of the inputs' or lies in one: the next run would take them as inputs.
    ///
    /// - Parameter inputs: files and folders.
    static func requireOutside(_ folder: Path, of inputs: [Path], option: String) throws {
        let place = resolved(folder)
        for input in inputs where input.isFolder && place.starts(with: resolved(input)) {
            throw CommandFailure(
                "\(option): \(folder) lies in \(input), whose pictures are read; expected another place")
        }
    }

    /// The components of a path after all links; of those that aren't there yet, as they are written.
    private static func resolved(_ path: Path) -> ArraySlice<Path> {
        let whole = path.isAbsolute ? path : (Path.current ?? "/").appending(path)
        var known = whole.components[...]
        var rest: [Path] = []
        while !known.isEmpty {
            if let real = Path.joined(known, isAbsolute: true).real {
                known = real.components[...]
                break
            }
            rest.append(known.removeLast())
        }
        for name in rest.reversed() where name != "." {
            if name == ".." { _ = known.popLast() } else { known.append(name) }
        }
        return known
    }
}
