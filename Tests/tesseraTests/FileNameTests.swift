import FilePaths
import Foundation
import ImageInput
import JSON
import Models
import Recipe
import Testing

/// Names that are not UTF-8, from the arguments of a process to the files it opens and writes.
@Suite(.serialized, .timeLimit(.minutes(5))) struct FileNameTests {
    /// As Latin-1, a lone continuation byte, overlong, both forms of é, controls, an escape's own text, a leading space
    /// and the longest.
    static let names: [Path] = [
        "caf\\xe9.png", "\\x80.png", "\\xc0\\xaf.png", "é.png", "e\u{301}.png", "\\x1b[31m\\x0a\\x07.png",
        "a\\x5cxe9.png",
        " .png", Path(String(repeating: "\\xe9", count: 251) + ".png"),
    ]

    /// A folder with a picture, removed with its owner.
    final class Folder {
        let path: Path
        let picture = encodePNG(image("a", height: 64, width: 64))

        init() throws {
            path = Path("\(FileManager.default.temporaryDirectory.path)/\(UUID().uuidString)")
            try FileManager.default.createDirectory(atPath: path.description, withIntermediateDirectories: true)
        }

        deinit { try? FileManager.default.removeItem(atPath: path.description) }

        func at(_ name: Path) -> Path { path.appending(name) }

        func write(_ bytes: [UInt8], _ name: Path) throws {
            let descriptor = at(name).open(O_WRONLY | O_CREAT | O_TRUNC)
            try #require(descriptor >= 0, "\(SystemError())")
            defer { close(descriptor) }
            #expect(Glibc.write(descriptor, bytes, bytes.count) == bytes.count)
        }

        func makeFolder(_ name: Path) { _ = at(name).withCString { mkdir($0, 0o777) } }

        func link(_ name: Path, to target: Path) throws {
            try #require(at(name).withCString { name in target.withCString { symlink($0, name) } } == 0)
        }

        func bytes(_ name: Path) throws -> [UInt8] {
            let descriptor = at(name).open(O_RDONLY)
            try #require(descriptor >= 0, "\(name): \(SystemError())")
            return Array(try FileHandle(fileDescriptor: descriptor, closeOnDealloc: true).readToEnd() ?? Data())
        }

        func json(_ name: Path) throws -> JSONValue { try JSONValue.parse(bytes(name)) }

        /// Runs the command with bytes as its arguments.
        ///
        /// - Parameter shell: bash commands that come first.
        func run(_ arguments: [Path], shell: String = "") throws -> TesseraProcess.Result {
            let words = arguments.map(FileNameTests.quoted).joined(separator: " ")
            return try TesseraProcess.run([], shell: "\(shell.isEmpty ? "" : shell + ";") set -- \(words)")
        }
    }

    /// A word of bash that stands for these bytes.
    static func quoted(_ path: Path) -> String {
        "$'" + path.bytes.map { "\\x" + String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined() + "'"
    }

    /// One line, or several, without what a terminal would act on.
    static func isPlain(_ text: String) -> Bool {
        !text.unicodeScalars.contains { $0 != "\n" && $0.properties.generalCategory == .control || $0 == "\u{FFFD}" }
    }

    @Test func picturesAreReadAndWrittenUnderTheirNames() throws {
        let folder = try Folder()
        for name in Self.names { try folder.write(folder.picture, name) }
        let files = Self.names.map(folder.at)
        let encoded = try folder.run(["encode", "--out", folder.at("\\xff.json")] + files)
        #expect(encoded.status == 0, "\(encoded.errors)")
        try folder.write(folder.picture, "plain.png")
        let plain = [Path](repeating: folder.at("plain.png"), count: files.count)
        try #require(try folder.run(["encode", "--out", folder.at("plain.json")] + plain).status == 0)
        #expect(try folder.bytes("\\xff.json") == folder.bytes("plain.json"))

        let out = folder.at("out\\xe9")
        let decoded = try folder.run(["decode", "--out", out, folder.at("\\xff.json")])
        #expect(decoded.status == 0, "\(decoded.errors)")
        #expect(try out.entries() == files.indices.map { Path("\\xff-\($0).png") })

        let again = folder.at("\\x1b[0m")
        let reconstructed = try folder.run(
            ["reconstruct", "--out", again] + files, shell: "exec > \(Self.quoted(folder.at("lines")))")
        #expect(reconstructed.status == 0, "\(reconstructed.errors)")
        #expect(try again.entries() == Self.names.sorted())
        let lines = try folder.bytes("lines").split(separator: UInt8(ascii: "\n"))
        #expect(try lines.map { try Path(JSONValue.parse(Array($0))["file"]?.stringValue ?? "") } == files)
        #expect(Self.isPlain(String(decoding: try folder.bytes("lines"), as: UTF8.self)))
    }

    @Test func foldersAreEvaluatedWhole() throws {
        let folder = try Folder()
        folder.makeFolder("in")
        folder.makeFolder("in/\\xe9")
        for (number, name) in Self.names.enumerated() {
            try folder.write(folder.picture, Path(number < 4 ? "in" : "in/\\xe9").appending(name))
        }
        try folder.link("in/lost\\x1b[31m", to: "\\xff")
        try folder.link("in/round\\xe9.png", to: "round\\xe9.png")
        let result = try folder.run([
            "eval", "--json", folder.at("\\xe9.json"), "--sheet", folder.at("\\xe9.png"), "--save-images",
            folder.at("\\xff"),
            folder.at("in"),
        ])
        #expect(result.status == 0, "\(result.errors)")
        let report = try folder.json("\\xe9.json")
        let files = Self.names.enumerated().map { folder.at($0 < 4 ? "in" : "in/\\xe9").appending($1) }
        #expect(report["images"]?.arrayValue?.map { Path($0["file"]?.stringValue ?? "") } == files.sorted())
        let skipped = report["pictures"]?["skipped"]?.arrayValue ?? []
        #expect(
            skipped.map { Path($0["file"]?.stringValue ?? "") }
                == ["in/lost\\x1b[31m", "in/round\\xe9.png"].map(folder.at))
        #expect(skipped[0]["error"]?.stringValue == "cannot be read: No such file or directory")
        #expect(skipped[1]["error"]?.stringValue?.hasSuffix("Too many levels of symbolic links") == true)
        for name in ["in/lost\\x1b[31m", "in/round\\xe9.png"] {
            #expect(result.errors.contains("\(folder.path)/\(name): "))
        }
        #expect(Self.isPlain(result.errors))
        #expect(try folder.at("\\xff/original").entries().count == files.count)
        #expect(try folder.bytes("\\xe9.png").starts(with: [0x89, 0x50, 0x4E, 0x47]))
        let inside = try folder.run(["eval", "--save-images", folder.at("in/\\xe9/new"), folder.at("in/\\xe9")])
        #expect(inside.status == 1 && inside.errors.contains("/in/\\xe9, whose pictures are read"), "\(inside.errors)")
    }

    /// The two forms of é name two folders, though Swift compares the strings as equal.
    @Test func anEquivalentFolderIsAnother() throws {
        let folder = try Folder()
        folder.makeFolder("é")
        try folder.write(folder.picture, "é/a.png")
        let result = try folder.run(["eval", "--save-images", folder.at("e\u{301}"), folder.at("é")])
        #expect(result.status == 0, "\(result.errors)")
        #expect(try folder.path.entries().map(\.bytes) == [Path("e\u{301}").bytes, Path("é").bytes])
    }

    /// The model isn't there: had it been looked for, that would be the error.
    @Test(arguments: names) func messagesEscapeNames(name: Path) throws {
        let folder = try Folder()
        let result = try folder.run([
            "encode", "--model", "/no/model", "--out", folder.at("no").appending(name), "x.png",
        ])
        #expect(result.status == 1 && Self.isPlain(result.errors), "\(result.errors)")
        #expect(result.errors.contains("\(folder.path)/no/\(name): cannot be written: there is no folder"))
        let lost = try folder.run(["inspect", folder.at(name)])
        #expect(lost.status == 1 && Self.isPlain(lost.errors), "\(lost.errors)")
        #expect(lost.errors.contains("\(folder.path)/\(name): there is no such folder"))
        let usage = try folder.run(["encode", Path(bytes: "--x".utf8 + name.bytes), "x.png"])
        #expect(usage.status != 0 && Self.isPlain(usage.errors), "\(usage.errors)")
        #expect(usage.errors.contains("--x\(name)"), "\(usage.errors)")
    }

    /// In text, a combining mark behind a separator would be one character with it.
    @Test func marksBehindSeparatorsBelongToNames() throws {
        let source = try ModelSource(parsing: Path(bytes: "m=\u{301}x,vae=\u{338}y/\u{301}".utf8).description)
        #expect(source.id == "m" && Path(source.folder).bytes == Array("\u{301}x".utf8))
        #expect(source.vae.map { Path($0).bytes } == Array("\u{338}y/\u{301}".utf8))
        let out = Path(bytes: "--out=\u{301}/x.json".utf8)
        let result = try Folder().run(["encode", "--model", "/no/model", out, "x.png"])
        #expect(result.errors.contains("there is no folder \\xcc\\x81/"), "\(result.errors)")
    }

    @Test(arguments: names) func modelsFoldersHaveAnyName(name: Path) throws {
        let folder = try Folder()
        let builtIn = TesseraProcess.executable.deletingLastPathComponent()
            .appending(path: "Tessera_tessera.resources/revq-mini").path
        try folder.link(name, to: Path(builtIn))
        let model = folder.at(name)
        let output = "exec > \(Self.quoted(folder.at("lines")))"
        let inspected = try folder.run(["inspect", "--vae", model.appending("vae"), model], shell: output)
        #expect(inspected.status == 0, "\(inspected.errors)")
        let lines = String(decoding: try folder.bytes("lines"), as: UTF8.self)
        #expect(Self.isPlain(lines) && lines.contains("\(model)/model.safetensors"), "\(lines)")
        #expect(lines.contains("\(model)/vae/config.json"), "\(lines)")
        // An element of the variable's list ends with its line, and spaces around it don't count.
        guard name != " .png", !name.bytes.contains(UInt8(ascii: "\n")) else { return }
        let variable = "export TESSERA_MODEL=\(Self.quoted(Path(bytes: "m=".utf8 + model.bytes))); \(output)"
        let named = try folder.run(["inspect"], shell: variable)
        #expect(named.status == 0, "\(named.errors)")
        #expect(String(decoding: try folder.bytes("lines"), as: UTF8.self).contains("\(model)/model.safetensors"))
    }

    @Test func settingsFilesGiveNamesBack() throws {
        let folder = try Folder()
        let keys = folder.at("keys\\xe9\\x0a")
        try folder.write(Array("a-key-that-is-long-enough".utf8), "keys\\xe9\\x0a")
        let model = Path(bytes: "m=".utf8 + folder.at("\\x1b[31m\\xff").bytes)
        var arguments: [Path] = ["serve", "--print-config", "--api-key-file", keys, "--model", model]
        var texts: [String] = []
        for round in 0..<3 {
            let name = Path("config-\(round)\\x80")
            let result = try folder.run(
                arguments, shell: "export TESSERA_VAE=\(Self.quoted(keys)); exec > \(Self.quoted(folder.at(name)))")
            #expect(result.status == 0, "\(result.errors)")
            texts.append(String(decoding: try folder.bytes(name), as: UTF8.self))
            arguments = ["serve", "--print-config", "--config", folder.at(name)]
        }
        #expect(texts.allSatisfy(Self.isPlain))
        func values(_ text: String) -> [Substring] {
            text.split(separator: "\n").filter { !$0.hasPrefix("#") }.map { $0.prefix { $0 != "#" } }
        }
        #expect(values(texts[0]) == values(texts[1]) && values(texts[1]) == values(texts[2]))
        #expect(texts[2].contains("api-key-file: \(JSONValue.string("\(keys)"))"), "\(texts[2])")
        #expect(texts[2].contains("model: [\(JSONValue.string("\(model)"))]"), "\(texts[2])")
    }

    @Test func trainingTakesListsAndFoldersOfAnyName() throws {
        let folder = try Folder()
        let model = try TemporaryModel.revq(.tiny, latentDeviation: 1)
        let names = Self.names.filter { !$0.bytes.contains(UInt8(ascii: "\n")) }
        for name in names { try folder.write(folder.picture, name) }
        let lines = (names + ["\\xe9"]).map { $0.bytes + "\r\n".utf8 }
        try folder.write(Array(lines.joined()), "list\\xff")
        try folder.link("vae\\xe9", to: Path(model.path + "/vae"))
        let out = folder.at("out\\xe9")
        let arguments: [Path] = [
            "train", "revq", "--vae", folder.at("vae\\xe9"), "--images", folder.at("list\\xff"), "--out", out,
            "--tokens", "64",
            "--codes", "2", "--batch", "2", "--features", "32", "--layers", "1", "--steps", "2", "--threads", "1",
            "--format",
            "torch",
        ]
        let result = try folder.run(arguments)
        #expect(result.status == 0 && Self.isPlain(result.errors), "\(result.errors)")
        #expect(
            result.errors.contains("skipped \(folder.path)/\\xe9: cannot be read: No such file"), "\(result.errors)")
        for name in [
            "model/model.safetensors", "model/vae/config.json", "torch/ckpt.pth", "log.jsonl",
            "state/step-2.safetensors",
        ] {
            #expect(out.appending(Path(name)).exists, "\(name)")
        }
        let again = try folder.run(arguments)
        #expect(again.status == 0, "\(again.errors)")
        #expect(try out.appending("state").entries().count <= 2)
    }
}
