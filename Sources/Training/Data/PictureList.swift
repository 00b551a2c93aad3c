import Foundation
import ImageInput

/// The pictures of a training set, by path.
package enum PictureList {
    private static let listBytes = 1 << 30

    /// - Parameter path: a folder, as `PictureFolder` lists it; or a text file in UTF-8 with a path a line, in its order,
    ///   where blank lines don't count and a relative path starts from the file's folder.
    /// - Throws: no such path, a folder that can't be listed, a file that isn't UTF-8, nothing found.
    package static func read(_ path: String) throws(TrainingError) -> [String] {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
            throw TrainingError("\(path): there is no such folder or list of pictures")
        }
        guard isFolder.boolValue else { return try list(path) }
        do {
            return try PictureFolder.pictures(in: path)
        } catch {
            throw TrainingError(error.description)
        }
    }

    private static func list(_ path: String) throws(TrainingError) -> [String] {
        let (bytes, fileBytes) = try naming(path) { () throws(TrainingError) in
            try PictureFile.read(path, limit: listBytes)
        }
        guard fileBytes <= listBytes else {
            throw TrainingError("\(path): has \(fileBytes) bytes; at most \(listBytes) of a list of pictures are read")
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw TrainingError(
                "\(path): is not UTF-8; expected a folder of pictures, or a text file with a picture's path a line")
        }
        let base = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        // A byte order mark belongs to no path.
        let lines = text.unicodeScalars.drop { $0 == "\u{FEFF}" }.split { $0 == "\n" || $0 == "\r" }
        let paths = lines.map(String.init).filter { !$0.allSatisfy(\.isWhitespace) }
        guard !paths.isEmpty else { throw TrainingError("\(path): no pictures found; expected a path a line") }
        return paths.map { $0.hasPrefix("/") ? $0 : base + $0 }
    }
}

/// Puts the path before a message.
func naming<T>(_ path: String, _ body: () throws(TrainingError) -> T) throws(TrainingError) -> T {
    do { return try body() } catch { throw TrainingError("\(path): \(error)") }
}
