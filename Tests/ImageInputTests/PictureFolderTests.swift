import FilePaths
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

    private func names(_ folder: String) throws(PictureFolderError) -> [String] {
        try PictureFolder.pictures(in: Path(folder)) { Issue.record("\($0): \($1)") }.map(\.description)
    }

    @Test func foldersAreReadWholeAndSorted() throws {
        let folder = try Folder(
            ["b.png", "a/z.JPG", "a/b/c.Jpeg", "B.PNG", ".hidden.png", ".git/x.png", "notes.txt", "png"])
        let found = try names(folder.path)
        #expect(found.map { $0.dropFirst(folder.path.count + 1) } == ["B.PNG", "a/b/c.Jpeg", "a/z.JPG", "b.png"])
        #expect(try names(folder.path + "/").count == 4)
    }

    @Test func linksAreFollowedOnce() throws {
        let folder = try Folder(["set/a.png"])
        for (link, target) in [("set/up", ".."), ("set/again", "."), ("set/lost.png", "nowhere")] {
            try FileManager.default.createSymbolicLink(atPath: "\(folder.path)/\(link)", withDestinationPath: target)
        }
        let found = try names(folder.path + "/set")
        #expect(found.map { $0.split(separator: "/").last } == ["a.png", "lost.png"])
    }

    /// As Latin-1, a lone continuation byte, overlong, both forms of é, controls, an escape's own text, the longest.
    static let names: [Path] = [
        "caf\\xe9.png", "\\x80.png", "\\xc0\\xaf.PNG", "é.jpg", "e\u{301}.jpg", "\\x1b[31m\\x0a\\x07.jpeg",
        "a\\x5cxe9.png",
        Path(String(repeating: "\\xe9", count: 250) + ".jpeg"),
    ]

    @Test func namesNeedNotBeUTF8() throws {
        let folder = try Folder(["plain.png"])
        let root = Path(folder.path)
        let subfolders: [Path] = [
            "\\xe9", "\\x80", "\\xc0\\xaf", "é", "e\u{301}", "\\x1b[0m\\x0a",
            Path(String(repeating: "\\xff", count: 255)),
        ]
        var expected: [Path] = ["plain.png"]
        for below in [Path("")] + subfolders {
            let place = root.appending(below)
            _ = place.withCString { mkdir($0, 0o777) }
            for name in Self.names {
                let descriptor = place.appending(name).open(O_WRONLY | O_CREAT | O_EXCL)
                try #require(descriptor >= 0)
                close(descriptor)
                expected.append(below.appending(name))
            }
        }
        let found = try PictureFolder.pictures(in: root) { Issue.record("\($0): \($1)") }
        #expect(found == expected.map(root.appending).sorted() && found.count == 8 * Self.names.count + 1)
        let one = try PictureFolder.pictures(in: root.appending("\\x80")) { Issue.record("\($0): \($1)") }
        #expect(one.map(\.name) == Self.names.sorted())
    }

    @Test func whatCannotBeLookedAtIsTold() throws {
        let folder = try Folder(["a.png"])
        let root = Path(folder.path)
        let links: [(Path, Path)] = [
            ("lost", "nowhere"), ("\\xe9", "\\xff"), ("round", "round"), ("there", "back"), ("back", "there"),
            ("x\\x1b[31m", "nowhere"), ("lost.png", "nowhere"), ("round.png", "round.png"), (".hidden", "nowhere"),
        ]
        for (name, target) in links {
            let made = root.appending(name).withCString { name in target.withCString { symlink($0, name) } }
            try #require(made == 0)
        }
        var told: [Path: String] = [:]
        let found = try PictureFolder.pictures(in: root) { told[$0] = $1 }
        #expect(found == ["a.png", "lost.png", "round.png"].map(root.appending))
        let lost = "cannot be read: No such file or directory",
            round = "cannot be read: Too many levels of symbolic links"
        let expected: [Path: String] = [
            "lost": lost, "\\xe9": lost, "x\\x1b[31m": lost, "round": round, "there": round, "back": round,
        ]
        #expect(told == Dictionary(uniqueKeysWithValues: expected.map { (root.appending($0), $1) }))
    }

    /// The system's limit for a path is 4,096 bytes.
    @Test func aFolderTooDeepToOpenIsTold() throws {
        let folder = try Folder(["a.png"])
        let name = Path(String(repeating: "d", count: 250))
        var descriptor = Path(folder.path).open(O_RDONLY | O_DIRECTORY)
        for _ in 0..<17 {
            let below = name.withCString { mkdirat(descriptor, $0, 0o777) == 0 ? openat(descriptor, $0, O_RDONLY) : -1 }
            close(descriptor)
            try #require(below >= 0)
            descriptor = below
        }
        close(descriptor)
        var told: [String] = []
        let found = try PictureFolder.pictures(in: Path(folder.path)) { told.append("\($0.bytes.count > 4095): \($1)") }
        #expect(found.map(\.name) == ["a.png"] && told == ["true: cannot be read: File name too long"])
    }

    @Test(.enabled(if: geteuid() != 0, "root may list every folder")) func aFolderThatMayNotBeListedIsTold() throws {
        let folder = try Folder(["a.png", "shut/b.png"])
        chmod(folder.path + "/shut", 0)
        defer { chmod(folder.path + "/shut", 0o700) }
        let error = #expect(throws: PictureFolderError.self) { try names(folder.path) }
        #expect(error?.description == folder.path + "/shut: cannot be listed: Permission denied")
    }

    @Test func whatIsWrongIsNamed() throws {
        let folder = try Folder(["notes.txt"])
        for (path, words) in [
            (folder.path + "/none", "there is no such folder"), (folder.path, "no pictures found; expected *.png"),
            (folder.path + "/notes.txt", "there is no such folder"),
        ] {
            let error = #expect(throws: PictureFolderError.self) { try names(path) }
            #expect(error?.description.hasPrefix("\(path): \(words)") == true)
        }
    }
}
