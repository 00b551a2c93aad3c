import Foundation

/// Where commands write. What can't be written is told before there is work to lose.
extension Files {
    /// - Throws: where nothing can be written to `path`, as far as that can be known without doing it.
    static func requireWritable(_ path: String) throws {
        if isDirectory(path) { throw CommandFailure("\(path): is a folder, expected a file to write") }
        guard let last = path.last, last != "/" else {
            throw CommandFailure("'\(path)': names no file, expected one to write")
        }
        if access(path, F_OK) == 0 { return try require(W_OK, of: path, for: path) }
        let folder = path.lastIndex(of: "/").map { String(path[...$0]) } ?? "./"
        guard isDirectory(folder) else {
            throw CommandFailure("\(path): cannot be written: there is no folder \(folder)")
        }
        try require(W_OK | X_OK, of: folder, for: path)
    }

    /// As `requireWritable`, for new files in a folder that is there.
    static func requireWritable(folder: String) throws { try require(W_OK | X_OK, of: folder, for: folder) }

    private static func require(_ mode: Int32, of place: String, for path: String) throws {
        guard access(place, mode) == 0 else {
            throw CommandFailure("\(path): cannot be written: \(String(cString: strerror(errno)))")
        }
    }

    /// Refuses a folder for outputs that is one of the inputs' or lies in one: the next run would take them as inputs.
    ///
    /// - Parameter inputs: files and folders.
    static func requireOutside(_ folder: String, of inputs: [String], option: String) throws {
        let place = resolved(folder)
        for input in inputs where isDirectory(input) && place.starts(with: resolved(input)) {
            throw CommandFailure(
                "\(option): \(folder) lies in \(input), whose pictures are read; expected another place")
        }
    }

    /// The components of a path after all links; of those that aren't there yet, as they are written.
    private static func resolved(_ path: String) -> ArraySlice<Substring> {
        let whole = path.hasPrefix("/") ? path : FileManager.default.currentDirectoryPath + "/" + path
        var known = whole.split(separator: "/")[...]
        var rest: [Substring] = []
        while !known.isEmpty {
            if let real = realpath("/" + known.joined(separator: "/"), nil) {
                defer { free(real) }
                known = String(cString: real).split(separator: "/")[...]
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
