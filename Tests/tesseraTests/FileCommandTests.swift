import Foundation
import ImageInput
import JSON
import Recipe
import Testing

@testable import tessera

/// What commands read and write, as processes.
@Suite(.serialized, .timeLimit(.minutes(5))) struct FileCommandTests {
    /// A folder for files; `@` in a text stands for its path.
    final class Folder {
        let path: String

        init() throws {
            path = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
            for name in ["in/below", "empty", "full", "left/original", "left/reconstruction"] {
                try FileManager.default.createDirectory(atPath: "\(path)/\(name)", withIntermediateDirectories: true)
            }
            for name in ["in/a.png", "full/old.png"] { try write(encodePNG(image("a", height: 256, width: 256)), name) }
            try FileManager.default.createSymbolicLink(atPath: path + "/link", withDestinationPath: path + "/in")
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        func write(_ bytes: [UInt8], _ name: String) throws {
            try Data(bytes).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
        }

        func bytes(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)")) }

        func full(_ text: String) -> String { text.replacingOccurrences(of: "@", with: path) }

        func run(_ arguments: [String], shell: String? = nil) throws -> TesseraProcess.Result {
            try TesseraProcess.run(arguments.map(full), shell: shell.map(full))
        }
    }

    /// The model isn't there: had it been looked for, that would be the error.
    @Test(arguments: [
        (["encode", "--out", "@/empty", "@/in/a.png"], "@/empty: is a folder, expected a file to write"),
        (["encode", "--out", "@/no/x", "@/in/a.png"], "@/no/x: cannot be written: there is no folder @/no/"),
        (["encode", "--out", "@/in/a.png/x", "@/in/a.png"], "there is no folder @/in/a.png/"),
        (["encode", "--out", "", "@/in/a.png"], "'': names no file, expected one to write"),
        (["decode", "--npy", "--out", "@/empty", "@/t.json"], "@/empty: is a folder, expected a file to write"),
        (["decode", "--out", "@/in/a.png", "@/t.json", "@/u.json"], "@/in/a.png is not a folder"),
        (["reconstruct", "--out", "@/no/x.png", "@/in/a.png"], "there is no folder @/no/"),
        (["reconstruct", "--npy", "--out", "@/empty", "@/in/a.png"], "@/empty: is a folder"),
        (["eval", "--json", "@/empty", "@/in"], "@/empty: is a folder, expected a file to write"),
        (["eval", "--json", "@/no/e.json", "@/in"], "there is no folder @/no/"),
        (["eval", "--sheet", "@/no/s.png", "@/in"], "there is no folder @/no/"),
        (["eval", "--save-images", "@/full", "@/in"], "--save-images: @/full holds old.png already"),
        (["eval", "--save-images", "@/in/a.png", "@/full"], "--save-images: @/in/a.png is not a folder"),
        (["eval", "--save-images", "@/in/new", "@/full", "@/in"], "--save-images: @/in/new lies in @/in"),
        (["eval", "--save-images", "@/in", "@/in/"], "--save-images: @/in lies in @/in/"),
        (["eval", "--save-images", "@/link/below/x/..", "@/in"], "lies in @/in, whose pictures are read"),
        (["eval", "--save-images", "@/in/below/new", "@/link"], "lies in @/link, whose pictures are read"),
        (["decode", "--seed", "-1", "@/t.json"], "--seed is -1, expected 0 to 9223372036854775807"),
        (["decode", "--threads", "-1", "@/t.json"], "--threads is -1, expected 1 to 1024"),
        (["eval", "--limit", "-1", "@/in"], "--limit is -1, expected at least 1"),
    ])
    func badOutputsAreRefusedBeforeTheModelIsLoaded(arguments: [String], expected: String) throws {
        let folder = try Folder()
        let result = try folder.run([arguments[0], "--model", "/no/model"] + arguments.dropFirst())
        #expect(result.status != 0 && !result.wasKilled)
        #expect(result.errors.contains(folder.full(expected)), "\(result.errors)")
        #expect(!FileManager.default.fileExists(atPath: folder.path + "/in/new"))
    }

    /// The empty folders of a run that failed before its first picture count as empty.
    @Test(arguments: ["@/new", "@/empty", "@/left"]) func newAndEmptyFoldersAreTaken(save: String) throws {
        let folder = try Folder()
        let result = try folder.run(["eval", "--save-images", save, "@/in"])
        #expect(result.status == 0, "\(result.errors)")
        #expect(FileManager.default.fileExists(atPath: folder.full(save) + "/reconstruction/00000.png"))
    }

    /// The file of tokens gives the number of images, which is checked before any is decoded.
    @Test func aMissingFolderIsAnErrorBeforeTokensAreDecoded() throws {
        let folder = try Folder()
        let ids = JSONValue([Int](repeating: 0, count: 512))
        try folder.write(ids.write(), "one.json")
        try folder.write(JSONValue([ids, ids]).write(), "two.json")
        let one = try folder.run(["decode", "--out", "@/no/x.png", "@/one.json"])
        #expect(one.status == 1 && one.errors.contains(folder.full("there is no folder @/no/")), "\(one.errors)")
        let two = try folder.run(["decode", "--out", "@/no/x", "@/two.json"])
        #expect(two.status == 0, "\(two.errors)")
        #expect(try folder.bytes("no/x/two-0.png") == folder.bytes("no/x/two-1.png"))
    }

    @Test func pipesAreReadToTheirEnd() throws {
        let folder = try Folder()
        try #require(try folder.run(["encode", "--out", "@/file.json", "@/in/a.png"]).status == 0)
        let tokens = try folder.bytes("file.json")
        for (name, shell) in [
            ("-", "exec < <(cat @/in/a.png)"), ("/dev/stdin", "exec < <(cat @/in/a.png)"),
            ("/dev/fd/9", "exec 9< <(cat @/in/a.png)"), ("@/fifo", "mkfifo @/fifo; (cat @/in/a.png > @/fifo &)"),
        ] {
            let result = try folder.run(["encode", "--out", "@/pipe.json", name], shell: shell)
            #expect(result.status == 0, "\(name): \(result.errors)")
            #expect(try folder.bytes("pipe.json") == tokens)
        }
        let keys = try folder.run(
            ["serve", "--print-config", "--api-key-file", "/dev/fd/9"], shell: "exec 9< <(echo a-key-in-a-pipe-here)")
        #expect(keys.status == 0, "\(keys.errors)")
    }

    @Test(arguments: [
        (["encode", "/dev/zero"], "/dev/zero: goes on after 20971520 bytes, expected no more"),
        (["encode", "-"], "standard input: goes on after 20971520 bytes"),
        (["decode", "@/in/a.png"], "@/in/a.png: is neither an .npy array nor JSON that is read here"),
        (["encode", "@/in"], "@/in: is a folder, expected a file"),
    ])
    func badInputsAreNamed(arguments: [String], expected: String) throws {
        let folder = try Folder()
        let result = try folder.run(arguments, shell: "exec < /dev/zero")
        #expect(result.status == 1 && !result.wasKilled)
        #expect(result.errors.contains(folder.full(expected)), "\(result.errors)")
    }
}
