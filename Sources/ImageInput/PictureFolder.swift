import FilePaths
import Glibc

/// The images in a folder and the folders below it.
public enum PictureFolder {
    private static let endings: [StaticString] = [".png", ".jpg", ".jpeg"]

    /// Paths of all `*.png`, `*.jpg` and `*.jpeg` in any case, hidden ones left out, sorted by their bytes. Links are
    /// followed; a folder that is reached twice counts once. A link that leads nowhere is listed where its name is a
    /// image's, so that it is told when it is opened.
    ///
    /// - Parameter skipped: what may be a folder and can't be looked at, such as a link that leads nowhere or round in
    ///   circles, and why.
    /// - Throws: no such folder, one there or below that can't be listed, or nothing found.
    public static func pictures(
        in root: Path, skipped: (_ path: Path, _ reason: String) -> Void
    ) throws(PictureFolderError) -> [Path] {
        var found: [Path] = []
        // Links may lead back up.
        var seen: Set<FileIdentity> = [try identity(ofRoot: root)]
        var folders = [root]
        while let folder = folders.popLast() {
            // In one order everywhere, since of two links to a folder the first counts.
            for name in try names(in: folder) where !name.hasPrefix(".") {
                let path = folder.appending(name)
                let isPicture = endings.contains { name.hasSuffix($0, ignoringCase: true) }
                do throws(SystemError) {
                    let identity = FileIdentity(try path.status())
                    if !identity.isFolder {
                        if isPicture { found.append(path) }
                    } else if seen.insert(identity).inserted {
                        folders.append(path)
                    }
                } catch {
                    if isPicture { found.append(path) } else { skipped(path, "cannot be read: \(error)") }
                }
            }
        }
        guard !found.isEmpty else {
            throw PictureFolderError(
                "\(root): no pictures found; expected *.png, *.jpg or *.jpeg in the folder or below it")
        }
        return found.sorted()
    }

    private static func identity(ofRoot root: Path) throws(PictureFolderError) -> FileIdentity {
        do throws(SystemError) {
            let identity = FileIdentity(try root.status())
            if identity.isFolder { return identity }
        } catch {
            if error.number != ENOENT, error.number != ENOTDIR {
                throw PictureFolderError("\(root): cannot be read: \(error)")
            }
        }
        throw PictureFolderError("\(root): there is no such folder")
    }

    private static func names(in folder: Path) throws(PictureFolderError) -> [Path] {
        do {
            return try folder.entries()
        } catch {
            throw PictureFolderError("\(folder): cannot be listed: \(error)")
        }
    }
}

/// Why a folder gives no images: one line that begins with its path.
public struct PictureFolderError: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

/// Which file it is, after links.
private struct FileIdentity: Hashable {
    let device: UInt64
    let number: UInt64
    let isFolder: Bool

    init(_ status: stat) {
        device = UInt64(status.st_dev)
        number = UInt64(status.st_ino)
        isFolder = status.st_mode & S_IFMT == S_IFDIR
    }
}
