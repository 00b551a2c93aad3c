import CheckpointBuilders
import Foundation
import Testing

@testable import Checkpoint

private let weights = (0..<2 * 3 * 5).map { Float($0) / 7 }
private let steps: [Int64] = [.min, -1, .max]
private let tree = TorchValue.dictionary([
    ("epoch", .integer(3)),
    (
        "model",
        .dictionary([
            ("z.weight", .tensor(shape: [2, 3, 5], .float32(weights))),
            ("a", .dictionary([("scalar", .tensor(shape: [], .float32([-0.0])))])),
            ("steps", .tensor(shape: [3], .int64(steps))), ("ids", .tensor(shape: [1, 2], .int32([5, -6]))),
            ("empty", .tensor(shape: [0, 4], .float32([]))),
        ])
    ), ("loss", .number(0.1)), ("note", .string("grün")), ("none", .dictionary([])),
])

private func write(_ value: TorchValue, zip: ZipWriter = ZipWriter()) throws -> [UInt8] {
    let file = try TemporaryFile([0])
    return try withExtendedLifetime(file) {
        try TorchWriter.write(value, to: file.path, zip: zip)
        return Array(try Data(contentsOf: URL(filePath: file.path)))
    }
}

/// One bit at a time, as the definition has it.
private func plainCRC32(_ bytes: some Sequence<UInt8>) -> UInt32 {
    ~bytes.reduce(UInt32.max) { value, byte in
        (0..<8).reduce(value ^ UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
    }
}

@Suite struct TorchWriterTests {
    /// Archives under and over the size from which zip64 is needed, with that size made small: by sizes and offsets.
    @Test(arguments: [0xFFFF_FFFF, 1000, 100, 1])
    func writesWhatTheReaderReads(wideFrom: Int) throws {
        let bytes = try write(tree, zip: ZipWriter(wideFrom: wideFrom))
        let file = try open(bytes)
        #expect(
            file.names.sorted() == ["model.a.scalar", "model.empty", "model.ids", "model.steps", "model.z.weight"])
        #expect(
            file.tensors["model.z.weight"] == TensorInfo(name: "model.z.weight", shape: [2, 3, 5], type: .float32))
        #expect(file.tensors["model.steps"] == TensorInfo(name: "model.steps", shape: [3], type: .int64))
        #expect(file.tensors["model.ids"] == TensorInfo(name: "model.ids", shape: [1, 2], type: .int32))
        #expect(try file.floats("model.z.weight") == weights && file.floats("model.empty") == [])
        #expect(try file.floats("model.a.scalar").map(\.bitPattern) == [0x8000_0000])
        try bytes.withUnsafeBytes { bytes in
            let archive = try ZipArchive(bytes: bytes, path: "f")
            let record = try #require(archive.members["archive/data/2"])
            #expect(try archive.contents(of: record, in: bytes).elementsEqual(steps.withUnsafeBytes { Array($0) }))
        }
    }

    @Test(arguments: [0xFFFF_FFFF, 100])
    func membersAreAlignedAndSummed(wideFrom: Int) throws {
        let bytes = try write(tree, zip: ZipWriter(wideFrom: wideFrom))
        try bytes.withUnsafeBytes { bytes in
            let archive = try ZipArchive(bytes: bytes, path: "f")
            #expect(
                archive.members.keys.sorted()
                    == ["byteorder", "data.pkl", "data/0", "data/1", "data/2", "data/3", "data/4", "version"].map {
                        "archive/\($0)"
                    })
            for member in archive.members.values {
                let contents = try archive.contents(of: member, in: bytes)
                #expect(bytes.littleEndian(UInt32.self, at: member.localHeader + 14) == plainCRC32(contents))
                let start = try #require(contents.baseAddress) - #require(bytes.baseAddress)
                #expect(start.isMultiple(of: 64), "\(member.name)")
            }
        }
    }

    @Test func writesTheSameBytesAgain() throws {
        #expect(try write(tree) == write(tree))
        let archive = try write(.stateDict([NewTensor(name: "b", shape: [2], [1, 2])]))
        #expect(try archive == write(.dictionary([("b", .tensor(shape: [2], .float32([1, 2])))])))
        #expect(try open(archive).floats("b") == [1, 2])
    }

    @Test(arguments: [0, 1, 255, 256, 65_536, -1, Int(Int32.max), Int(Int32.min), 1 << 31, 1 << 40, .max, .min])
    func writesIntegers(number: Int) throws {
        try PickleWriter(.integer(number)).bytes.withUnsafeBytes { bytes in
            var machine = PickleMachine(bytes: bytes, path: "f")
            guard case .integer(let value) = try machine.run() else { throw CheckpointError.empty(path: "f") }
            #expect(value == Int64(number))
        }
    }

    /// What Python's `pickle.dumps(…, protocol=2)` writes, but for the memo and the marks.
    @Test func writesPickleOpcodes() {
        let value = TorchValue.dictionary([("b", .number(1.5)), ("a", .string("ü"))])
        let expected: [UInt8] =
            [0x80, 2, 0x7D, 0x58, 1, 0, 0, 0, 0x62, 0x47, 0x3F, 0xF8, 0, 0, 0, 0, 0, 0, 0x73]
            + [0x58, 1, 0, 0, 0, 0x61, 0x58, 2, 0, 0, 0, 0xC3, 0xBC, 0x73, 0x2E]
        #expect(PickleWriter(value).bytes == expected)
    }

    @Test func checksums() {
        let text = Array("123456789".utf8)
        #expect(text.withUnsafeBytes { CRC32.checksum($0) } == 0xCBF4_3926)
        let bytes = (0..<300).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ 13) }
        for range in [0..<0, 0..<1, 3..<10, 1..<9, 5..<22, 0..<300] {
            #expect(bytes[range].withUnsafeBytes { CRC32.checksum($0) } == plainCRC32(bytes[range]))
        }
    }

    /// More members than 16 bits can count.
    @Test func writesManyMembers() throws {
        let file = try TemporaryFile([0])
        try AtomicFile.write(file.path) { (sink) throws(FileWriteError) in
            var zip = ZipWriter()
            for index in 0..<65_536 { try zip.add("\(index)", [UInt8(index & 255)], to: &sink) }
            try zip.finish(&sink)
        }
        let bytes = Array(try Data(contentsOf: URL(filePath: file.path)))
        try bytes.withUnsafeBytes { bytes in
            let archive = try ZipArchive(bytes: bytes, path: "f")
            #expect(archive.members.count == 65_536)
            let last = try #require(archive.members["65535"])
            #expect(try Array(archive.contents(of: last, in: bytes)) == [255])
        }
    }
}
