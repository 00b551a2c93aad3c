import Foundation

/// The pictures in a folder and the folders below it.
public enum PictureFolder {
    private static let endings = [".png", ".jpg", ".jpeg"]

    /// Paths of all `*.png`, `*.jpg` and `*.jpeg` in any case, hidden ones left out, sorted by their bytes. Links are
    /// followed; a folder that is reached twice counts once.
    ///
    /// - Throws: no such folder, one that can't be listed, or nothing found.
    public static func pictures(in root: String) throws(PictureFolderError) -> [String] {
        guard let identity = FileIdentity(root), identity.isFolder else {
            throw PictureFolderError("\(root): there is no such folder")
        }
        var found: [String] = []
        // Links may lead back up.
        var seen: Set<FileIdentity> = [identity]
        var folders = [root]
        while let folder = folders.popLast() {
            for name in try names(in: folder) where !name.hasPrefix(".") {
                let path = folder.hasSuffix("/") ? folder + name : "\(folder)/\(name)"
                if let identity = FileIdentity(path), identity.isFolder {
                    if seen.insert(identity).inserted { folders.append(path) }
                } else if endings.contains(where: name.lowercased().hasSuffix) {
                    found.append(path)
                }
            }
        }
        guard !found.isEmpty else {
            throw PictureFolderError(
                "\(root): no pictures found; expected *.png, *.jpg or *.jpeg in the folder or below it")
        }
        return found.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// In one order everywhere, since of two links to a folder the first counts.
    private static func names(in folder: String) throws(PictureFolderError) -> [String] {
        do {
            return try FileManager.default.contentsOfDirectory(atPath: folder)
                .sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
        } catch {
            throw PictureFolderError("\(folder): cannot be listed: \(error.localizedDescription)")
        }
    }
}

/// Why a folder gives no pictures: one line that begins with its path.
public struct PictureFolderError: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

/// Which file it is, after links.
private struct FileIdentity: Hashable {
    let device: UInt64
    let number: UInt64
    let isFolder: Bool

    init?(_ path: String) {
        var status = stat()
        guard stat(path, &status) == 0 else { return nil }
        device = UInt64(status.st_dev)
        number = UInt64(status.st_ino)
        isFolder = status.st_mode & S_IFMT == S_IFDIR
    }
}
