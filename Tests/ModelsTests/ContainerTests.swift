import Checkpoint
import CheckpointBuilders
import Foundation
import Recipe
import Testing
import TokenizerCore

@testable import Models

/// The same weights in every container and element type that users download.
@Suite(.serialized)
struct ContainerTests {
    @Test(arguments: ElementFormat.allCases)
    func sftokContainersAgree(format: ElementFormat) throws {
        let source = try TemporaryModel.sftok(.tiny)
        // A file of float32 that holds the numbers as rounded to the format: what the others must be equal to.
        let tensors = try NamedTensor.all(of: source.path + "/model.safetensors").map { $0.rounded(to: format) }
        func load(_ name: String, _ format: ElementFormat) throws -> (tokens: [Int32], fingerprint: String) {
            let folder = try TemporaryModel()
            let bytes: [UInt8]
            if name.hasSuffix(".safetensors") {
                bytes = safetensorsFile(tensors, format)
            } else {
                var archive = TorchArchiveBuilder()
                let body = Pickle.dict(tensors.map { ($0.name, archive.tensor($0, format)) })
                bytes = archive.build(body)
            }
            try Data(bytes).write(to: URL(fileURLWithPath: "\(folder.path)/\(name)"))
            try folder.write("model:\n  decoder: {randomize_temperature: 1.0}\n", to: "model.yaml")
            return try encode(folder, golden: "sftok-tiny")
        }
        let expected = try load("model.safetensors", .float32)
        for name in ["model.safetensors", "weights.bin", "ckpt.pth"]
        where format != .float32 || name != "model.safetensors" {
            let found = try load(name, format)
            #expect(found.tokens == expected.tokens, "\(name)")
            #expect(found.fingerprint == expected.fingerprint, "\(name)")
        }
        if format == .float32 {
            #expect(try expected.tokens == Golden("sftok-tiny", in: Golden.fixtures).ints("tokens"))
        }
    }

    /// ReVQ as its authors publish it: a training checkpoint with its optimizer, and the preprocessor's statistics.
    @Test func revqTrainingCheckpoint() throws {
        let golden = try Golden("revq-tiny", in: Golden.fixtures)
        let folder = try TemporaryModel.revq(.tiny, latentDeviation: golden.floats("latent_std")[0])
        let expected = try encode(folder, golden: "revq-tiny")
        #expect(try expected.tokens == golden.ints("tokens"))
        let tensors = try NamedTensor.all(of: folder.path + "/model.safetensors")
        let statistics = try NamedTensor.all(of: folder.path + "/preprocessor.pth")
        var preprocessor = TorchArchiveBuilder()
        let body = Pickle.dict(statistics.map { ($0.name, preprocessor.tensor($0)) })
        try Data(preprocessor.build(body)).write(to: URL(fileURLWithPath: folder.path + "/preprocessor.pth"))
        try Data(Self.trainingCheckpoint(tensors)).write(to: URL(fileURLWithPath: folder.path + "/ckpt.pth"))
        try FileManager.default.removeItem(atPath: folder.path + "/model.safetensors")
        let found = try encode(folder, golden: "revq-tiny")
        #expect(found.tokens == expected.tokens)
        #expect(found.fingerprint == expected.fingerprint)
    }

    private static func trainingCheckpoint(_ tensors: [NamedTensor]) -> [UInt8] {
        var archive = TorchArchiveBuilder()
        func state(of part: String) -> [(String, [UInt8])] {
            tensors.filter { $0.name.hasPrefix(part) }.map {
                (String($0.name.dropFirst(part.count)), archive.tensor($0))
            }
        }
        let books = 512, codes = 256
        let offsets = archive.tensor(
            shape: [books], littleEndian((0..<books).map { Int64($0 * codes) }), storage: "LongStorage")
        let ones = [Float](repeating: 1, count: books * codes)
        let count = archive.tensor(NamedTensor(name: "count", shape: [books, codes], values: ones))
        let moment = archive.tensor(NamedTensor(name: "exp_avg", shape: [3], values: [1, 2, 3]))
        let step = archive.tensor(NamedTensor(name: "step", shape: [], values: [12]))
        let parameters: [UInt8] = [0x5D, 0x28] + Pickle.int(0) + Pickle.int(1) + [0x65]
        let group = Pickle.dict([("lr", [0x47] + Array(repeating: 0, count: 8)), ("params", parameters)])
        let moments = Pickle.dict(keys: [(Pickle.int(0), Pickle.dict([("step", step), ("exp_avg", moment)]))])
        let body = Pickle.dict([
            ("quantizer", Pickle.dict(state(of: "quantizer.") + [("index_offset", offsets), ("count", count)])),
            ("decoder", Pickle.stateDictionary(state(of: "decoder."))),
            ("optimizer", Pickle.dict([("state", moments), ("param_groups", [0x5D] + group + [0x61])])),
            ("epoch", Pickle.int(3)),
        ])
        return archive.build(body)
    }

    private func encode(
        _ folder: TemporaryModel, golden name: String
    ) throws -> (tokens: [Int32], fingerprint: String) {
        let loaded = try ModelLoader.load(ModelSource(id: "x", folder: folder.path))
        let image = try Golden(name, in: Golden.fixtures).image()
        let tokens = try loaded.tokenizer.encode(image, options: EncodeOptions()).ids
        return (tokens, loaded.description.contract.fingerprint)
    }
}

/// How a file stores a number.
enum ElementFormat: String, CaseIterable, Sendable {
    case float32, float16, bfloat16

    var safetensorsName: String { ["F32", "F16", "BF16"][index] }
    var storageName: String { ["FloatStorage", "HalfStorage", "BFloat16Storage"][index] }
    var size: Int { self == .float32 ? 4 : 2 }
    private var index: Int { Self.allCases.firstIndex(of: self) ?? 0 }

    func bytes(_ values: [Float]) -> [UInt8] {
        switch self {
        case .float32: floatBytes(values)
        case .float16: littleEndian(values.map { Float16($0).bitPattern })
        case .bfloat16: littleEndian(values.map(Self.brain))
        }
    }

    /// The nearest number of the format, of two as near the even one.
    func rounded(_ value: Float) -> Float {
        switch self {
        case .float32: value
        case .float16: Float(Float16(value))
        case .bfloat16: Float(bitPattern: UInt32(Self.brain(value)) << 16)
        }
    }

    private static func brain(_ value: Float) -> UInt16 {
        UInt16(truncatingIfNeeded: (value.bitPattern &+ 0x7FFF &+ (value.bitPattern >> 16 & 1)) >> 16)
    }
}

struct NamedTensor {
    let name: String
    let shape: [Int]
    let values: [Float]

    static func all(of path: String) throws -> [NamedTensor] {
        let file = try CheckpointFile(path: path)
        return try file.names.sorted().map {
            NamedTensor(name: $0, shape: try file.info($0).shape, values: try file.floats($0))
        }
    }

    func rounded(to format: ElementFormat) -> NamedTensor {
        format == .float32 ? self : NamedTensor(name: name, shape: shape, values: values.map(format.rounded))
    }
}

private func safetensorsFile(_ tensors: [NamedTensor], _ format: ElementFormat) -> [UInt8] {
    var offset = 0
    let members = tensors.map { tensor in
        let start = offset
        offset += tensor.values.count * format.size
        return "\"\(tensor.name)\":{\"dtype\":\"\(format.safetensorsName)\",\"shape\":\(tensor.shape),"
            + "\"data_offsets\":[\(start),\(offset)]}"
    }
    return safetensors("{\(members.joined(separator: ","))}", data: tensors.flatMap { format.bytes($0.values) })
}

/// Collects the records of a torch archive while its pickle is put together.
private struct TorchArchiveBuilder {
    private var records: [ZipBuilder.Member] = []

    /// The pickle of a tensor, row-major in a storage of its own.
    mutating func tensor(shape: [Int], _ bytes: [UInt8], storage: String) -> [UInt8] {
        let key = "\(records.count)"
        records.append(ZipBuilder.Member("archive/data/\(key)", bytes))
        var strides = [Int](repeating: 1, count: shape.count)
        for axis in shape.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] * shape[axis + 1] }
        let count = Pickle.long(Int64(shape.reduce(1, *)))
        return Pickle.tensor(
            shape: shape.map { Pickle.int(Int32($0)) }, strides: strides.map { Pickle.int(Int32($0)) },
            storage: Pickle.storage(key, count: count, type: Pickle.global("torch", storage)))
    }

    mutating func tensor(_ tensor: NamedTensor, _ format: ElementFormat = .float32) -> [UInt8] {
        self.tensor(shape: tensor.shape, format.bytes(tensor.values), storage: format.storageName)
    }

    func build(_ body: [UInt8]) -> [UInt8] {
        let pickle = ZipBuilder.Member("archive/data.pkl", Pickle.program(body))
        let order = ZipBuilder.Member("archive/byteorder", Array("little".utf8))
        return ZipBuilder([pickle, order] + records).build()
    }
}

extension Pickle {
    fileprivate static func dict(keys pairs: [(key: [UInt8], value: [UInt8])]) -> [UInt8] {
        [0x7D, 0x28] + pairs.flatMap { $0.key + $0.value } + [0x75]
    }

    /// As `Module.state_dict()`: an `OrderedDict` with the attribute `_metadata`.
    fileprivate static func stateDictionary(_ pairs: [(String, [UInt8])]) -> [UInt8] {
        let metadata = call(global("collections", "OrderedDict"), [])
        return call(global("collections", "OrderedDict"), []) + [0x28] + pairs.flatMap { string($0.0) + $0.1 } + [0x75]
            + dict([("_metadata", metadata)]) + [0x62]
    }
}
