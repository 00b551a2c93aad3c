import FilePaths
import Foundation
import Testing

@testable import Training

@Suite struct DataListTests {
    private func names(_ path: String) throws -> [String] {
        try PictureList.read(Path(path)) { Issue.record("\($0.path): \($0.reason)") }.map(\.description)
    }

    @Test func foldersAreListed() throws {
        let folder = try DataFolder()
        for name in ["b.png", "a/z.JPG", "notes.txt"] { try folder.write("", to: name) }
        #expect(try names(folder.path) == ["\(folder.path)/a/z.JPG", "\(folder.path)/b.png"])
    }

    @Test(arguments: ["\n", "\r\n"])
    func listsHaveAPathALine(end: String) throws {
        let folder = try DataFolder()
        let text = ["\u{FEFF}one.png", "", "  ", "/abs/Zwei ü.jpg", "sub/three", "one.png"].joined(separator: end)
        let list = try folder.write(text, to: "list.txt")
        let base = folder.path
        #expect(
            try names(list) == [
                "\(base)/one.png", "/abs/Zwei ü.jpg", "\(base)/sub/three", "\(base)/one.png",
            ])
    }

    /// As Latin-1, a lone continuation byte, overlong, both forms of é, an escape's control characters and its own
    /// text.
    static let names: [Path] = [
        "caf\\xe9.png", "\\x80.png", "\\xc0\\xaf.png", "é.png", "e\u{301}.png", "\\x1b[31m\\x07.png", "a\\x5cxe9.png",
        Path(String(repeating: "\\xe9", count: 251) + ".png"),
    ]

    @Test(arguments: ["\n", "\r\n", "\r"]) func aListsLinesAreBytes(end: String) throws {
        let folder = try DataFolder()
        let below = Path("\\xff")
        let lines = Self.names + Self.names.map(below.appending) + Self.names.map { Path("/abs").appending($0) }
        for mark in [[], [0xEF, 0xBB, 0xBF] as [UInt8]] {
            let list = try folder.write(mark + lines.flatMap { $0.bytes + end.utf8 }, to: "list.txt")
            let base = Path(folder.path)
            #expect(try PictureList.read(Path(list)) == lines.map { $0.isAbsolute ? $0 : base.appending($0) })
        }
    }

    @Test func whatIsWrongIsNamed() throws {
        let folder = try DataFolder()
        let empty = try folder.write("\n\n", to: "list.txt")
        let binary = try folder.write([0x89, 0x50, 0xFF, 0x00], to: "x.bin")
        let cases = [
            (folder.path + "/none", "there is no such folder or list"),
            (folder.path, "no pictures found; expected *.png"),
            (empty, "no pictures found; expected a path a line"), (binary, "byte 3 is zero, which no path has"),
            ("/dev/null", "is not a regular file"),
        ]
        for (path, words) in cases {
            let found = message { _ = try names(path) }
            #expect(found?.hasPrefix(path + ": ") == true && found?.contains(words) == true, "\(path)")
        }
    }
}
