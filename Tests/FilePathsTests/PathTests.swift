import FilePaths
import Foundation
import JSON
import Testing

/// A name that the fixture's script gave to Python.
private struct Example {
    let bytes: [UInt8]
    let text: String

    /// In the order of Python's `sorted(os.listdir(b"…"))`.
    static func all() throws -> [Example] {
        let fixture = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/paths.json")
        let entries = try #require(try JSONValue.parse(Array(Data(contentsOf: fixture))).arrayValue)
        return try entries.map { entry in
            let digits = try #require(entry["name"]?.stringValue?.utf8.map { $0 })
            let bytes = try stride(from: 0, to: digits.count, by: 2).map {
                try #require(UInt8(String(decoding: digits[$0..<$0 + 2], as: UTF8.self), radix: 16))
            }
            return Example(bytes: bytes, text: try #require(entry["text"]?.stringValue))
        }
    }
}

@Suite struct PathTests {
    /// A folder with a file of each name, which holds the name.
    private final class Folder {
        let path: Path

        init(_ names: [[UInt8]]) throws {
            path = Path("\(FileManager.default.temporaryDirectory.path)/\(UUID().uuidString)")
            try FileManager.default.createDirectory(atPath: path.description, withIntermediateDirectories: true)
            for name in names {
                let descriptor = path.appending(Path(bytes: name)).open(O_WRONLY | O_CREAT | O_EXCL)
                try #require(descriptor >= 0, "\(SystemError())")
                #expect(write(descriptor, name, name.count) == name.count)
                close(descriptor)
            }
        }

        deinit { try? FileManager.default.removeItem(atPath: path.description) }
    }

    @Test func textFormsAreThoseOfTheFixture() throws {
        let examples = try Example.all()
        #expect(examples.count > 70)
        for example in examples {
            let path = Path(bytes: example.bytes)
            // As bytes: two strings are equal in other cases too.
            #expect(Array(path.description.utf8) == Array(example.text.utf8))
            #expect(Path(example.text).bytes == example.bytes, "\(example.text)")
            let scalars = path.description.unicodeScalars
            #expect(!scalars.contains { $0.properties.generalCategory == .control || $0.properties.isBidiControl })
        }
        #expect(Set(examples.map { Array($0.text.utf8) }).count == examples.count)
    }

    @Test func foldersListTheirNamesInTheOrderOfPython() throws {
        let examples = try Example.all()
        let folder = try Folder(examples.map(\.bytes).reversed())
        #expect(try folder.path.entries().map(\.bytes) == examples.map(\.bytes))
        for name in try folder.path.entries() {
            let descriptor = folder.path.appending(name).open(O_RDONLY)
            defer { close(descriptor) }
            var bytes = [UInt8](repeating: 0, count: 300)
            let count = read(descriptor, &bytes, bytes.count)
            #expect(count >= 0 && Array(bytes.prefix(max(0, count))) == name.bytes)
        }
    }

    /// 20,000 names of bytes that escapes are made of, and what UTF-8 is made of.
    @Test func noTwoPathsHaveOneText() throws {
        let alphabet = Array("\\xX5cCeE9é€😀/\u{7F}\u{9B}\n\u{202E}\u{301}".utf8) + [0x80, 0xC0, 0xE2, 0xED, 0xF4, 0xFF]
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let bytes = (0..<Int.random(in: 0...12, using: &random)).map { _ in
                alphabet.randomElement(using: &random) ?? 0
            }
            let path = Path(bytes: bytes)
            #expect(Path(path.description).bytes == bytes, "\(bytes)")
            let slash = Path(bytes: bytes + "/".utf8 + bytes)
            #expect(Path("\(path)/\(path)").bytes == slash.bytes, "\(bytes)")
        }
    }

    @Test func equivalentNamesAreTwo() {
        let composed = Path("é.png"), decomposed = Path("e\u{301}.png")
        #expect(composed.description == decomposed.description)
        #expect(composed != decomposed && Set([composed, decomposed]).count == 2)
        #expect(decomposed < composed)
    }

    @Test(arguments: [
        ("a/b.jpg", "b.jpg", "b", "a/"), ("b.jpg", "b.jpg", "b", "./"), ("/b", "b", "b", "/"), ("a/", "a", "a", "a/"),
        ("a//", "a", "a", "a//"), (".hidden", ".hidden", ".hidden", "./"), ("a.tar.gz", "a.tar.gz", "a.tar", "./"),
        ("x/é\\xe9.png", "é\\xe9.png", "é\\xe9", "x/"), ("b.", "b.", "b.", "./"), ("", "", "", "./"),
        ("/", "", "", "/"),
        ("a/\u{301}.png", "\u{301}.png", "\u{301}", "a/"), ("..", "..", "..", "./"),
    ])
    func partsAreCutAtBytes(text: String, name: String, stem: String, folder: String) {
        let path = Path(text)
        #expect(path.name == Path(name) && path.stem == Path(stem) && path.folder == Path(folder), "\(path.stem)")
    }

    @Test(arguments: [
        ("a", "b", "a/b"), ("a/", "b", "a/b"), ("", "b", "b"), ("/", "b", "/b"), ("\\xe9", "\\xff", "\\xe9/\\xff"),
    ])
    func namesAreAppended(folder: String, name: String, expected: String) {
        #expect(Path(folder).appending(Path(name)) == Path(expected))
    }

    @Test(arguments: [
        ("x.png", true), ("x.PNG", true), ("x.pNg", true), (".png", true), ("\\xe9.png", true), ("png", false),
        ("x.png\u{301}", false), ("x.ｐng", false), ("x.png\\x0a", false), ("x\\x0a.png", true),
    ])
    func endingsAreBytes(text: String, isPicture: Bool) {
        #expect(Path(text).hasSuffix(".png", ignoringCase: true) == isPicture)
    }

    /// The part before the zero is a file that is there.
    @Test func aZeroByteNamesNothing() throws {
        let folder = try Folder([Array("x".utf8)])
        let path = folder.path.appending(Path(bytes: [0x78, 0, 0x79]))
        #expect(folder.path.appending("x").exists && !path.exists && !path.isFolder && path.open(O_RDONLY) < 0)
        #expect(path.description.hasSuffix("/x\\x00y"))
    }

    @Test func errorsAreTheSystemsWords() throws {
        let none = Path("/no/such/folder")
        #expect(throws: SystemError(ENOENT)) { try none.entries() }
        #expect(throws: SystemError(ENOENT)) { try none.status() }
        #expect(throws: SystemError(ENOTDIR)) { try Path("/dev/null").entries() }
        #expect(throws: SystemError(ENAMETOOLONG)) { try Path(String(repeating: "n", count: 256)).status() }
        #expect(none.refusal(of: F_OK)?.description == "No such file or directory")
    }

    @Test(arguments: [("a\nb\t\\xe9", "a\nb\t\\x5cxe9"), ("\r\u{1B}", "\r\\x1b"), ("", "")])
    func keptCharactersStandForThemselves(text: String, expected: String) {
        #expect(PathText.text(of: Array(text.utf8), keeping: Array("\n\t\r".utf8)) == expected)
    }
}
