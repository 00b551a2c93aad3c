import CheckpointBuilders
import Foundation
import Testing

@testable import Checkpoint

@Suite struct FileTests {
    @Test func refusesWhatIsNoFile() throws {
        let folder = FileManager.default.temporaryDirectory.path
        #expect(throws: CheckpointError.notAFile(path: folder)) { try CheckpointFile(path: folder) }
        #expect(throws: CheckpointError.notAFile(path: "/dev/null")) { try CheckpointFile(path: "/dev/null") }
        let missing = folder + "/" + UUID().uuidString
        #expect(throws: CheckpointError.unreadable(path: missing, reason: "No such file or directory")) {
            try CheckpointFile(path: missing)
        }
        #expect(try openingError([]) == "is empty")
    }

    static let unknown: [(String, String)] = [
        ("x", "a file that begins with bytes 78"),
        ("<!DOCTYPE html>", "a file that begins with bytes 3c 21 44 4f 43 54 59 50"),
        ("version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer; fetch the file that it stands for"),
    ]

    @Test(arguments: unknown)
    func refusesUnknownFormats(text: String, found: String) throws {
        #expect(try openingError(Array(text.utf8)) == "expected a safetensors file or a torch archive, found \(found)")
    }

    @Test func describesInOneShortLine() {
        let name = "a\nb\u{2028}\u{1B}[31m" + String(repeating: "n", count: 5000)
        let text = CheckpointError.missingTensor(path: "f", tensor: name, expected: [2]).description
        #expect(text.hasPrefix("f: tensor 'a\u{FFFD}b\u{FFFD}\u{FFFD}[31mnn") && text.unicodeScalars.count == 2000)
        let spare = CheckpointError.spareTensors(path: "f", tensors: (0..<7).map { "t\($0)" }).description
        #expect(spare == "f: spare tensors that the model does not have: 't0', 't1', 't2', 't3', 't4' and 2 more")
    }

    /// Resident bytes of this process's mapping of a file (proc(5), `smaps`).
    private func residentBytes(_ path: String) throws -> Int {
        let handle = try FileHandle(forReadingFrom: URL(filePath: "/proc/self/smaps"))
        var text = Data()
        while let part = try handle.read(upToCount: 1 << 16), !part.isEmpty { text += part }
        let lines = String(decoding: text, as: UTF8.self).split(separator: "\n")
        let mapping = try #require(lines.firstIndex { $0.hasSuffix(path) })
        let resident = try #require(lines[mapping...].first { $0.hasPrefix("Rss:") })
        return 1024 * (try #require(resident.split(separator: " ").dropFirst().first.flatMap { Int($0) }))
    }

    @Test func releasedPagesComeBackFromTheFile() throws {
        let values = (0..<1 << 20).map { Float($0) }
        let half = values.count * 2, whole = values.count * 4
        let header =
            #"{"a":{"dtype":"F32","shape":[\#(values.count / 2)],"data_offsets":[0,\#(half)]},"#
            + #""b":{"dtype":"F32","shape":[\#(values.count / 2)],"data_offsets":[\#(half),\#(whole)]}}"#
        let file = try TemporaryFile(safetensors(header, data: floatBytes(values)))
        let mapping = try MappedFile(path: file.path)
        let sum = mapping.bytes.reduce(0) { $0 &+ Int($1) }
        #expect(try residentBytes(file.path) >= whole)
        mapping.release(UnsafeRawBufferPointer(rebasing: mapping.bytes[9000..<whole]))
        #expect(try residentBytes(file.path) < whole / 16)
        #expect(mapping.bytes.reduce(0) { $0 &+ Int($1) } == sum)
        let checkpoint = try CheckpointFile(path: file.path)
        for _ in 0..<2 {
            #expect(try checkpoint.floats("a") == Array(values[..<(values.count / 2)]))
            #expect(try checkpoint.floats("b") == Array(values[(values.count / 2)...]))
        }
    }

    @Test(arguments: ["nested.pth", "flat.safetensors"])
    func tensorsReadAgainAreTheSame(name: String) throws {
        let file = try open(fixture(name))
        let floating = file.tensors.values.filter { [.float32, .float16, .bfloat16, .float64].contains($0.type) }
        let first = try floating.map { try file.floats($0.name).map(\.bitPattern) }
        // In the other order, so that each comes after other neighbours in its storage and its pages.
        for (info, expected) in zip(floating, first).reversed() {
            #expect(try file.floats(info.name).map(\.bitPattern) == expected, "\(info.name)")
            var streamed: [UInt8] = []
            try file.appendFloat32Bytes(of: info.name) { streamed += $0 }
            #expect(streamed == expected.flatMap { littleEndian($0) }, "\(info.name)")
        }
        #expect(floating.count >= 4)
    }

    @Test func convertsEveryHalfAndBrainFloatExactly() {
        for bits in UInt16.min...UInt16.max {
            let half = float32(half: bits)
            let expected = Float(Float16(bitPattern: bits))
            #expect(half.isNaN ? expected.isNaN : half.bitPattern == expected.bitPattern)
            #expect(float32(brain: bits).bitPattern == UInt32(bits) << 16)
        }
    }

    @Test func streamsLargeTensorsInPieces() throws {
        let count = 600_001
        let values = (0..<count).map { Float($0) }
        let header = #"{"a":{"dtype":"F32","shape":[\#(count)],"data_offsets":[0,\#(count * 4)]}}"#
        let file = try open(safetensors(header, data: floatBytes(values)))
        var pieces: [Int] = []
        var bytes: [UInt8] = []
        try file.appendFloat32Bytes(of: "a") {
            pieces.append($0.count)
            bytes += $0
        }
        #expect(pieces == [1 << 20, 1 << 20, count * 4 - (2 << 20)] && bytes == floatBytes(values))
    }

    @Test func copiesFromAnyElementOfAStridedTensor() {
        let storage = floatBytes((0..<24).map { Float($0) })
        storage.withUnsafeBytes { bytes in
            let source = TensorSource(storage: bytes, type: .float32, shape: [2, 3, 4], strides: [1, 8, 2], offset: 0)
            var expected: [Float] = []
            for i in 0..<2 { for j in 0..<3 { for k in 0..<4 { expected.append(Float(i + 8 * j + 2 * k)) } } }
            for first in 0..<24 {
                for count in 0...(24 - first) {
                    var part = [Float](repeating: -1, count: count)
                    let copied = part.withUnsafeMutableBufferPointer { source.copy(from: first, into: $0) }
                    #expect(copied && part == Array(expected[first..<first + count]))
                }
            }
        }
    }
}
