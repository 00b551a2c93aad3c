import Foundation

/// The pictures of a training set, by path.
package enum PictureList {
    private static let endings = [".png", ".jpg", ".jpeg"]
    private static let listBytes = 1 << 30

    /// - Parameter path: a folder, of which all `*.png`, `*.jpg` and `*.jpeg` in any case count, in subfolders too,
    ///   hidden ones left out, sorted by their paths' bytes; or a text file in UTF-8 with a path a line, in its order,
    ///   where blank lines don't count and a relative path starts from the file's folder.
    /// - Throws: no such path, a folder that can't be listed, a file that isn't UTF-8, nothing found.
    package static func read(_ path: String) throws(TrainingError) -> [String] {
        guard let kind = Kind(of: path) else {
            throw TrainingError("\(path): there is no such folder or list of pictures")
        }
        let found = kind.isFolder ? try folder(path, kind) : try list(path)
        guard !found.isEmpty else {
            throw TrainingError(
                kind.isFolder
                    ? "\(path): no pictures found; expected *.png, *.jpg or *.jpeg in the folder or below it"
                    : "\(path): no pictures found; expected a path a line")
        }
        return found
    }

    private static func folder(_ root: String, _ kind: Kind) throws(TrainingError) -> [String] {
        var found: [String] = []
        // Links are followed, and may lead back up.
        var seen: Set<Kind> = [kind]
        var folders = [root]
        while let folder = folders.popLast() {
            for name in try names(in: folder) where !name.hasPrefix(".") {
                let path = folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
                if let kind = Kind(of: path), kind.isFolder {
                    if seen.insert(kind).inserted { folders.append(path) }
                } else if endings.contains(where: name.lowercased().hasSuffix) {
                    found.append(path)
                }
            }
        }
        return found.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// In one order everywhere, since of two links to a folder the first counts.
    private static func names(in folder: String) throws(TrainingError) -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder)
                .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        } catch {
            throw TrainingError("\(folder): cannot be listed: \(error.localizedDescription)")
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
            throw TrainingError("\(path): is not UTF-8; expected a folder, or a text file with a picture's path a line")
        }
        let base = path.lastIndex(of: "/").map { String(path[...$0]) } ?? ""
        // A byte order mark belongs to no path.
        let lines = text.unicodeScalars.drop { $0 == "\u{FEFF}" }.split { $0 == "\n" || $0 == "\r" }
        return lines.map(String.init).filter { !$0.allSatisfy(\.isWhitespace) }.map { line in
            line.hasPrefix("/") ? line : base + line
        }
    }
}

/// Which file it is, after links.
private struct Kind: Hashable {
    let device: UInt64
    let number: UInt64
    let isFolder: Bool

    init?(of path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        device = UInt64(status.st_dev)
        number = UInt64(status.st_ino)
        isFolder = status.st_mode & S_IFMT == S_IFDIR
    }
}

/// Puts the path before a message.
func naming<T>(_ path: String, _ body: () throws(TrainingError) -> T) throws(TrainingError) -> T {
    do { return try body() } catch { throw TrainingError("\(path): \(error)") }
}
