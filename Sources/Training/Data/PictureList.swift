import FilePaths
import ImageInput

/// The images of a training set, by path.
package enum PictureList {
    private static let listBytes = 1 << 30

    /// - Parameters:
    ///   - path: a folder, as `PictureFolder` lists it; or a text file with a path a line, in its order, where blank
    ///     lines don't count and a relative path starts from the file's folder. Lines end in LF, CR LF or CR and are a
    ///     path's own bytes, of any encoding; a UTF-8 byte order mark at the start of the file is left out.
    ///   - skipped: as `PictureFolder.pictures` tells it.
    /// - Throws: no such path, a folder that can't be listed, a file that isn't text, nothing found.
    package static func read(
        _ path: Path, skipped: (SkippedPicture) -> Void = { _ in }
    ) throws(TrainingError) -> [Path] {
        guard path.exists else { throw TrainingError("\(path): there is no such folder or list of pictures") }
        guard path.isFolder else { return try list(path) }
        do {
            return try PictureFolder.pictures(in: path) { skipped(SkippedPicture(path: $0, reason: $1)) }
        } catch {
            throw TrainingError(error.description)
        }
    }

    private static func list(_ path: Path) throws(TrainingError) -> [Path] {
        let (bytes, fileBytes) = try naming(path) { () throws(TrainingError) in
            try PictureFile.read(path, limit: listBytes)
        }
        guard fileBytes <= listBytes else {
            throw TrainingError("\(path): has \(fileBytes) bytes; at most \(listBytes) of a list of pictures are read")
        }
        if let zero = bytes.firstIndex(of: 0) {
            throw TrainingError(
                "\(path): byte \(zero) is zero, which no path has; expected a folder of pictures, or a text file "
                    + "with a picture's path a line")
        }
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let text = bytes.starts(with: mark) ? bytes[mark.count...] : bytes[...]
        let lines = text.split { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }.filter { !isBlank($0) }
        guard !lines.isEmpty else { throw TrainingError("\(path): no pictures found; expected a path a line") }
        let base = path.folder == "./" ? "" : path.folder
        return lines.map { line in
            let path = Path(bytes: line)
            return path.isAbsolute ? path : base.appending(path)
        }
    }

    private static func isBlank(_ line: ArraySlice<UInt8>) -> Bool {
        String(decoding: line, as: UTF8.self).allSatisfy(\.isWhitespace)
    }
}

/// Puts the path before a message.
func naming<T>(_ path: Path, _ body: () throws(TrainingError) -> T) throws(TrainingError) -> T {
    do { return try body() } catch { throw TrainingError("\(path): \(error)") }
}
