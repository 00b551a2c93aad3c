import Foundation
import Testing

@testable import Training

@Suite struct DataListTests {
    @Test func foldersAreListed() throws {
        let folder = try DataFolder()
        for name in ["b.png", "a/z.JPG", "notes.txt"] { try folder.write("", to: name) }
        #expect(try PictureList.read(folder.path) == ["\(folder.path)/a/z.JPG", "\(folder.path)/b.png"])
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
