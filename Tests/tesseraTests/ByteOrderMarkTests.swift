import Foundation
import Testing

@testable import tessera

/// A byte order mark before the first line of a file.
struct ByteOrderMarkTests {
    private static let mark: [UInt8] = [0xEF, 0xBB, 0xBF]

    private func file<Result>(_ bytes: [UInt8], _ body: (String) throws -> Result) throws -> Result {
        let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: file) }
        try Data(bytes).write(to: file)
        return try body(file.path)
    }

    private func settings(_ path: String) throws -> ServeSettings {
        try ResolvedSettings(flags: ServeOptions.parse([]), file: SettingsFile.load(path)).settings
    }

    @Test(arguments: [
        "grace: 7\n", "# ours\ngrace: 7", "---\ngrace: 7\n", "{grace: 7}", "\r\ngrace: 7\r\n", "'grace': 7",
    ])
    func ofSettingsIsSkipped(text: String) throws {
        for mark in [[], Self.mark] {
            #expect(try file(mark + Array(text.utf8), settings).grace == 7)
        }
    }

    @Test(arguments: ["", "# nothing\n", "{}"]) func ofEmptySettingsIsSkipped(text: String) throws {
        #expect(try file(Self.mark + Array(text.utf8), settings) == ServeSettings())
    }

    @Test(arguments: [
        "0123456789abcdef", "0123456789abcdef\r\n", "# ours\n0123456789abcdef", "\n\n 0123456789abcdef \n",
    ])
    func ofKeysIsSkipped(text: String) throws {
        for mark in [[], Self.mark] {
            let keys = try file(mark + Array(text.utf8)) { try KeyFile.keys(file: $0, environment: [:]) }
            #expect(keys == ["0123456789abcdef"])
        }
    }

    @Test(
        arguments: [
            ([0xFF, 0xFE, 0x61, 0], "UTF-16LE (FF FE)"), ([0xFE, 0xFF, 0, 0x61], "UTF-16BE (FE FF)"),
            ([0xFF, 0xFE, 0, 0, 0x61, 0, 0, 0], "UTF-32LE (FF FE 00 00)"),
            ([0, 0, 0xFE, 0xFF, 0, 0, 0, 0x61], "UTF-32BE (00 00 FE FF)"), ([0xFF, 0xFE], "UTF-16LE (FF FE)"),
        ] as [([UInt8], String)])
    func ofAnotherEncodingIsNamed(bytes: [UInt8], encoding: String) throws {
        try file(bytes) { path in
            let says = "\(path): the text begins with the byte order mark of \(encoding), expected UTF-8"
            let keys = #expect(throws: CommandFailure.self) { try KeyFile.keys(file: path, environment: [:]) }
            #expect(keys?.description == says)
            let refused = #expect(throws: CommandFailure.self) { try settings(path) }
            #expect(refused?.description == says)
        }
    }

    /// Only one, and only at the start.
    @Test func moreAreNotSkipped() throws {
        #expect(throws: (any Error).self) {
            try file(Self.mark + Self.mark + Array("0123456789abcdef".utf8)) {
                try KeyFile.keys(file: $0, environment: [:])
            }
        }
    }
}
