import Foundation
import JSON
import Testing

@testable import Checkpoint

struct PackedFileTests {
    private final class Folder {
        let path = NSTemporaryDirectory() + "tessera-" + UUID().uuidString
        init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }
        deinit { try? FileManager.default.removeItem(atPath: path) }
    }

    private static let first = (0..<100).map { UInt8($0) }
    private static let second = (0..<5000).map { UInt8(truncatingIfNeeded: $0) }

    private func write(_ path: String) throws {
        try Self.first.withUnsafeBytes { first in
            try Self.second.withUnsafeBytes { second in
                let size = try PackedWriter.write(
                    path, facts: ["a": 1],
                    layers: [
                        .init(name: "x", layout: "l\n\"", parts: [first, second]),
                        .init(name: "y", layout: "m", parts: [UnsafeRawBufferPointer(start: nil, count: 0)]),
                    ])
                #expect(size == (try Data(contentsOf: URL(fileURLWithPath: path)).count))
            }
        }
    }

    @Test func whatIsWrittenIsRead() throws {
        let folder = try Folder(), path = folder.path + "/p"
        try write(path)
        let file = try PackedFile(path: path)
        #expect(file.facts == ["a": 1])
        #expect(file.layers.keys.sorted() == ["x", "y"])
        let layer = try #require(file.layers["x"])
        #expect(layer.layout == "l\n\"")
        #expect(layer.parts.map { Array(file.bytes(of: $0)) } == [Self.first, Self.second])
        #expect(layer.parts[0].lowerBound % 64 == 0 && layer.parts[1].lowerBound % 4096 == 0)
        #expect(file.layers["y"]?.parts.map(\.count) == [0])
        try file.verify()
    }

    /// Each bit of the beginning, of the index and of the end; and each length.
    @Test func noDamageOfTheIndexGoesUnseen() throws {
        let folder = try Folder(), path = folder.path + "/p"
        try write(path)
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        let index = try #require(whole.range(of: Data("{\"facts\"".utf8)))
        func isRead(_ bytes: Data) throws -> Bool {
            try bytes.write(to: URL(fileURLWithPath: path))
            return (try? PackedFile(path: path)) != nil
        }
        #expect(try isRead(whole))
        for at in Array(0..<64) + Array(index.lowerBound..<whole.count) {
            var bytes = whole
            bytes[at] ^= 1 << UInt8(at % 8)
            #expect(try !isRead(bytes), "byte \(at)")
        }
        for count in [0, 1, 63, 64, 65, index.lowerBound] + Array(index.lowerBound..<whole.count) {
            #expect(try !isRead(whole.prefix(count)), "\(count) bytes")
        }
        #expect(try !isRead(whole + [0]))
    }

    /// Indexes that are well summed and make no sense.
    @Test(arguments: [
        "[]", "{}", "{\"facts\":1,\"sha256\":\"\"}",
        "{\"facts\":1,\"sha256\":\"\",\"layers\":[{\"name\":\"x\",\"layout\":\"\"}]}",
        "{\"facts\":1,\"sha256\":\"\",\"layers\":[{\"name\":\"x\",\"parts\":[64,0]}]}",
        "{\"facts\":1,\"sha256\":\"\",\"layers\":[{\"name\":\"x\",\"layout\":\"\",\"parts\":[64]}]}",
        "{\"facts\":1,\"sha256\":\"\",\"layers\":[{\"name\":\"x\",\"layout\":\"\",\"parts\":[0,64]}]}",
        "{\"facts\":1,\"sha256\":\"\",\"layers\":[{\"name\":\"x\",\"layout\":\"\",\"parts\":[65,1]}]}",
        "{\"facts\":1,\"sha256\":\"\",\"layers\":[{\"name\":\"x\",\"layout\":\"\",\"parts\":[64,65]}]}",
        "{\"facts\":1,\"sha256\":\"\",\"layers\":[{\"name\":\"x\",\"layout\":\"\",\"parts\":[64,-1]}]}",
        "{\"facts\":1,\"sha256\":\"\",\"layers\":[{\"name\":\"x\",\"layout\":\"\",\"parts\":[64,9223372036854775807]}]}",
        "{\"facts\":1,\"sha256\":\"\",\"layers\":[{\"name\":\"x\",\"layout\":\"\",\"parts\":[64,64]},{\"name\":\"x\",\"layout\":\"\",\"parts\":[64,64]}]}",
        "{", "\u{0}",
    ])
    func anIndexWithoutSenseIsRefused(text: String) throws {
        let folder = try Folder(), path = folder.path + "/p"
        let payload = PackedWriter.title + [UInt8](repeating: 1, count: 64)
        let bytes = payload + PackedWriter.finished(Array(text.utf8), from: payload.count)
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        let error = #expect(throws: CheckpointError.self) { try PackedFile(path: path) }
        #expect(error?.description.hasPrefix("\(path): its index makes no sense: ") == true)
    }

    @Test func verifyingFindsDamageOfTheContents() throws {
        let folder = try Folder(), path = folder.path + "/p"
        try write(path)
        var bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        bytes[70] ^= 1
        try bytes.write(to: URL(fileURLWithPath: path))
        let file = try PackedFile(path: path)
        #expect(throws: CheckpointError.packed(path: path, .contents)) { try file.verify() }
    }
}
