import CheckpointBuilders
import Foundation
import Recipe
import Testing
import TokenizerCore

@testable import Models

/// The same weights in every container and element type that users download.
@Suite(.serialized)
struct ContainerTests {
    enum Stored: String, CaseIterable { case float32, float16, bfloat16 }

    /// A torch archive with one record per tensor, or a safetensors file, of the recipe's tiny SFTok.
    static func write(_ type: Stored, _ name: String, to folder: String) throws {
        let shapes = SFTokSize.tiny.shapes.sorted { $0.key < $1.key }
        var bytes: [UInt8]
        if name.hasSuffix(".safetensors") {
            var offset = 0
            let dtype = ["float32": "F32", "float16": "F16", "bfloat16": "BF16"][type.rawValue] ?? ""
            let members = shapes.map { name, shape in
                let size = shape.reduce(1, *) * (type == .float32 ? 4 : 2)
                defer { offset += size }
                return
                    "\"\(name)\":{\"dtype\":\"\(dtype)\",\"shape\":\(shape),\"data_offsets\":[\(offset),\(offset + size)]}"
            }
            bytes = safetensors("{\(members.joined(separator: ","))}")
            for (name, shape) in shapes { bytes += stored(tensor(name, shape: shape), type) }
        } else {
            let global = ["float32": "FloatStorage", "float16": "HalfStorage", "bfloat16": "BFloat16Storage"][
                type.rawValue]
            var members: [ZipBuilder.Member] = []
            var entries: [(String, [UInt8])] = []
            for (index, (name, shape)) in shapes.enumerated() {
                let values = tensor(name, shape: shape)
                var strides = [Int](repeating: 1, count: shape.count)
                for i in stride(from: shape.count - 2, through: 0, by: -1) {
                    strides[i] = strides[i + 1] * shape[i + 1]
                }
                let storage = Pickle.storage(
                    "\(index)", count: Pickle.long(Int64(values.count)), type: Pickle.global("torch", global ?? ""))
                entries.append(
                    (
                        name,
                        Pickle.tensor(
                            shape: shape.map { Pickle.int(Int32($0)) }, strides: strides.map { Pickle.int(Int32($0)) },
                            storage: storage)
                    ))
                members.append(ZipBuilder.Member("archive/data/\(index)", stored(values, type)))
            }
            members.append(ZipBuilder.Member("archive/data.pkl", Pickle.program(Pickle.dict(entries))))
            bytes = ZipBuilder(members).build()
        }
        try Data(bytes).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
    }

    static func stored(_ values: [Float], _ type: Stored) -> [UInt8] {
        switch type {
        case .float32: floatBytes(values)
        case .float16: values.flatMap { littleEndian(Float16($0).bitPattern) }
        case .bfloat16:
            values.flatMap { littleEndian(UInt16(($0.bitPattern &+ 0x7FFF &+ ($0.bitPattern >> 16 & 1)) >> 16)) }
        }
    }

    static func load(_ type: Stored, _ name: String) throws -> LoadedModel {
        let folder = try TemporaryModel()
        try write(type, name, to: folder.path)
        try folder.write("model:\n  decoder: {randomize_temperature: 1.0}\n", to: "model.yaml")
        return try ModelLoader.load(ModelSource(id: "x", folder: folder.path))
    }

    @Test func containersGiveTheSameTokensAndFingerprint() throws {
        let image = try Golden("sftok-tiny", in: Golden.fixtures).image()
        let expected = try Golden("sftok-tiny", in: Golden.fixtures).ints("tokens")
        for type in Stored.allCases {
            var fingerprints: Set<String> = []
            for name in ["model.safetensors", "weights.bin", "ckpt.pth"] {
                let loaded = try Self.load(type, name)
                fingerprints.insert(loaded.description.contract.fingerprint)
                let tokens = try loaded.tokenizer.encode(image, options: EncodeOptions()).ids
                let equal = zip(tokens, expected).count { $0 == $1 }
                // Half of the precision moves near ties, and no more than these.
                switch type {
                case .float32: #expect(equal == 64, "\(name)")
                case .float16: #expect(equal >= 62, "\(name): \(equal)")
                case .bfloat16: #expect(equal >= 52, "\(name): \(equal)")
                }
            }
            #expect(fingerprints.count == 1)
        }
    }
}
