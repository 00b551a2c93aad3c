import Foundation
import ImageInput
import Testing

struct PictureFolderTests {
    /// Removed with its owner.
    final class Folder {
        let path = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path

        init(_ names: [String] = []) throws {
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            for name in names {
                let file = URL(fileURLWithPath: "\(path)/\(name)")
                try FileManager.default.createDirectory(
                    at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
                try Data().write(to: file)
            }
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    @Test func foldersAreReadWholeAndSorted() throws {
        let folder = try Folder(
            ["b.png", "a/z.JPG", "a/b/c.Jpeg", "B.PNG", ".hidden.png", ".git/x.png", "notes.txt", "png"])
        let found = try PictureFolder.pictures(in: folder.path)
        #expect(found.map { $0.dropFirst(folder.path.count + 1) } == ["B.PNG", "a/b/c.Jpeg", "a/z.JPG", "b.png"])
        #expect(try PictureFolder.pictures(in: folder.path + "/").count == 4)
    }

    @Test func linksAreFollowedOnce() throws {
        let folder = try Folder(["set/a.png"])
        for (link, target) in [("set/up", ".."), ("set/again", "."), ("set/lost.png", "nowhere")] {
            try FileManager.default.createSymbolicLink(atPath: "\(folder.path)/\(link)", withDestinationPath: target)
        }
        let found = try PictureFolder.pictures(in: folder.path + "/set")
        #expect(found.map { $0.split(separator: "/").last } == ["a.png", "lost.png"])
    }

    @Test func whatIsWrongIsNamed() throws {
        let folder = try Folder(["notes.txt"])
        for (path, words) in [
            (folder.path + "/none", "there is no such folder"), (folder.path, "no pictures found; expected *.png"),
            (folder.path + "/notes.txt", "there is no such folder"),
        ] {
            let error = #expect(throws: PictureFolderError.self) { try PictureFolder.pictures(in: path) }
            #expect(error?.description.hasPrefix("\(path): \(words)") == true)
        }
    }
}
