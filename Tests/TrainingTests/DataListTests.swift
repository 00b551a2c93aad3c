import Foundation
import Testing

@testable import Training

@Suite struct DataListTests {
    @Test func foldersAreReadWholeAndSorted() throws {
        let folder = try DataFolder()
        for name in ["b.png", "a/z.JPG", "a/b/c.Jpeg", "B.PNG", ".hidden.png", ".git/x.png", "notes.txt", "png"] {
            try folder.write("", to: name)
        }
        let found = try PictureList.read(folder.path)
        #expect(found.map { $0.dropFirst(folder.path.count + 1) } == ["B.PNG", "a/b/c.Jpeg", "a/z.JPG", "b.png"])
        #expect(try PictureList.read(folder.path + "/").count == 4)
    }

    @Test func linksAreFollowedOnce() throws {
        let folder = try DataFolder()
        try folder.write("", to: "set/a.png")
        for (link, target) in [("set/up", ".."), ("set/again", "."), ("set/lost.png", "nowhere")] {
            try FileManager.default.createSymbolicLink(
                atPath: "\(folder.path)/\(link)", withDestinationPath: target)
        }
        let found = try PictureList.read(folder.path + "/set")
        #expect(found.map { $0.split(separator: "/").last } == ["a.png", "lost.png"])
    }

    @Test(arguments: ["\n", "\r\n"])
    func listsHaveAPathALine(end: String) throws {
        let folder = try DataFolder()
        let text = ["\u{FEFF}one.png", "", "  ", "/abs/Zwei ü.jpg", "sub/three", "one.png"].joined(separator: end)
        let list = try folder.write(text, to: "list.txt")
        let base = folder.path
        #expect(
            try PictureList.read(list) == [
                "\(base)/one.png", "/abs/Zwei ü.jpg", "\(base)/sub/three", "\(base)/one.png",
            ])
    }

    @Test func whatIsWrongIsNamed() throws {
        let folder = try DataFolder()
        let empty = try folder.write("\n\n", to: "list.txt")
        let binary = try folder.write([0x89, 0x50, 0xFF], to: "x.bin")
        let cases = [
            (folder.path + "/none", "there is no such folder or list"),
            (folder.path, "no pictures found; expected *.png"),
            (empty, "no pictures found; expected a path a line"), (binary, "is not UTF-8"),
            ("/dev/null", "is not a regular file"),
        ]
        for (path, words) in cases {
            let found = message { _ = try PictureList.read(path) }
            #expect(found?.hasPrefix(path + ": ") == true && found?.contains(words) == true, "\(path)")
        }
    }
}
