import CheckpointBuilders
import Foundation
import Testing

@testable import Checkpoint

private let tensors = [
    NewTensor(name: "w", shape: [2, 3], [0, -0.0, 1.5, .infinity, .leastNonzeroMagnitude, -3]),
    NewTensor(name: "steps", shape: [2], values: .int64([.min, 7])),
    NewTensor(name: "ids", shape: [3], values: .int32([-1, .max, 0])),
    NewTensor(name: "b \"quoted\"", shape: [], [Float(bitPattern: 0x7FC0_1234)]),
    NewTensor(name: "empty", shape: [0, 4], []),
]

private func write(_ tensors: [NewTensor], _ metadata: [String: String] = [:]) throws -> [UInt8] {
    let file = try TemporaryFile([0])
    return try withExtendedLifetime(file) {
        try SafetensorsWriter.write(tensors, metadata: metadata, to: file.path)
        return Array(try Data(contentsOf: URL(filePath: file.path)))
    }
}

/// The bytes of a stored tensor as they lie in the file.
private func stored(_ name: String, in file: [UInt8]) throws -> [UInt8] {
    try file.withUnsafeBytes { bytes in
        let tensor = try #require(try SafetensorsReader(bytes: bytes, path: "f").read().tensors[name])
        guard case .bytes(let range) = tensor.place else { throw CheckpointError.empty(path: name) }
        return Array(file[range])
    }
}

@Suite struct SafetensorsWriterTests {
    @Test func writesWhatTheReaderReads() throws {
        let bytes = try write(tensors, ["step": "10", "config": "{\"a\": [1,\n2]}"])
        let file = try open(bytes)
        #expect(file.metadata == ["step": "10", "config": "{\"a\": [1,\n2]}"])
        #expect(Set(file.names) == Set(tensors.map(\.name)))
        for tensor in tensors {
            let info = TensorInfo(name: tensor.name, shape: tensor.shape, type: tensor.values.type)
            #expect(file.tensors[tensor.name] == info)
            switch tensor.values {
            case .float32(let values):
                #expect(try file.floats(tensor.name).map(\.bitPattern) == values.map(\.bitPattern))
            case .int32(let values):
                #expect(try stored(tensor.name, in: bytes) == values.withUnsafeBytes { Array($0) })
            case .int64(let values):
                #expect(try stored(tensor.name, in: bytes) == values.withUnsafeBytes { Array($0) })
            }
        }
    }

    /// The bytes that the `safetensors` package writes.
    @Test func writesTheReferencesBytes() throws {
        let pair = [
            NewTensor(name: "a", shape: [2], [1, 2]), NewTensor(name: "b", shape: [1], values: .int64([3])),
            NewTensor(name: "é", shape: [], [4]),
        ]
        let header =
            #"{"__metadata__":{"format":"pt"},"b":{"dtype":"I64","shape":[1],"data_offsets":[0,8]},"#
            + #""a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},"#
            + #""é":{"dtype":"F32","shape":[],"data_offsets":[16,20]}}"#
        let padding = String(repeating: " ", count: (8 - header.utf8.count % 8) % 8)
        let data = [3, 0, 0, 0, 0, 0, 0, 0] + floatBytes([1, 2, 4])
        #expect(try write(pair, ["format": "pt"]) == safetensors(header + padding, data: data))
        #expect(try write([]) == safetensors("{}      "))
    }

    @Test func writesTheSameBytesInAnyOrder() throws {
        let keys = (0..<20).map { ("key \($0)", "\($0)") }
        let first = try write(tensors, Dictionary(uniqueKeysWithValues: keys))
        #expect(try write(tensors.reversed(), Dictionary(uniqueKeysWithValues: keys.reversed())) == first)
        #expect(try write(tensors) != first)
        let length = first.withUnsafeBytes { $0.littleEndian(UInt64.self, at: 0) }
        #expect(length?.isMultiple(of: 8) == true)
    }

    @Test func namesThePathWhereItCannotWrite() throws {
        let file = try TemporaryFile([1])
        let path = file.path + "/model.safetensors"
        #expect(throws: FileWriteError(path: path, step: .folder, reason: "Not a directory")) {
            try SafetensorsWriter.write(tensors, to: path)
        }
    }

    @Test func torchArchivesHaveNoMetadata() throws {
        #expect(try open(torchArchive(Pickle.dict([("w", Pickle.tensor())])).build()).metadata.isEmpty)
        #expect(try open(safetensors("{}")).metadata.isEmpty)
    }

    @Test(arguments: [([2, 2], 3), ([-1], 1), ([], 0)])
    func aTensorHasAsManyValuesAsItsShapeSays(shape: [Int], count: Int) async {
        await #expect(processExitsWith: .failure) { [shape, count] in
            _ = NewTensor(name: "w", shape: shape, [Float](repeating: 0, count: count))
        }
    }
}
