import Checkpoint
import CheckpointBuilders
import Foundation
import JSON
import Testing

@Suite struct FixtureTests {
    @Test(arguments: ["nested.pth", "flat.safetensors"])
    func readsWhatTorchWrote(name: String) throws {
        let expected = try #require(try JSONValue.parse(fixture("expected.json"))[name]?.objectValue)
        let file = try open(fixture(name))
        for (tensor, entry) in expected.members.map({ ($0.name, $0.value) }) {
            let shape = try #require(entry["shape"]?.arrayValue).compactMap(\.intValue)
            let bits = try #require(entry["bits"]?.arrayValue).compactMap(\.intValue)
            let info = try file.info(tensor)
            #expect(info.shape == shape && info.count == bits.count)
            #expect(try file.floats(tensor).map { Int($0.bitPattern) } == bits, "\(tensor)")
            var streamed: [UInt8] = []
            try file.appendFloat32Bytes(of: tensor) { streamed += $0 }
            #expect(streamed == bits.flatMap { littleEndian(UInt32($0)) })
        }
    }

    @Test func listsTensorsButNothingOfTheOptimizer() throws {
        let file = try open(fixture("nested.pth"))
        #expect(
            file.names.sorted() == [
                "decoder.channels_last", "decoder.columns", "decoder.layer.bias", "decoder.layer.weight",
                "decoder.parameter", "decoder.row", "decoder.transposed", "quantizer.brain", "quantizer.double",
                "quantizer.embeddings", "quantizer.empty", "quantizer.half", "quantizer.index_offset",
                "quantizer.scalar",
            ])
        #expect(file.tensors["quantizer.index_offset"]?.type == .int64)
        #expect(file.tensors["quantizer.half"]?.type == .float16)
    }

    @Test func readsTypesOfSafetensors() throws {
        let file = try open(fixture("flat.safetensors"))
        #expect(file.tensors["ids"]?.type == .int64 && file.tensors["mask"]?.type == .bool)
        #expect(file.tensors["eight"]?.type == .other("F8_E4M3"))
        let error = #expect(throws: CheckpointError.self) { try file.floats("eight") }
        #expect(
            error?.description.hasSuffix("'eight' holds F8_E4M3; expected float32, float16, bfloat16 or float64")
                == true)
        #expect(throws: CheckpointError.wrongType(path: file.path, tensor: "ids", found: .int64)) {
            try file.floats("ids")
        }
    }

    @Test func refusesTheOldFormatByName() throws {
        let expected = "saved in torch's old format, from before PyTorch 1.6; load it in PyTorch and save it again"
        #expect(try openingError(fixture("legacy.pth")) == expected)
        var tar = [UInt8](repeating: 0x61, count: 512)
        tar.replaceSubrange(257..<262, with: "ustar".utf8)
        #expect(try openingError(tar) == expected)
    }

    /// Reads all of a damaged file; returns whether it was refused. Whatever a byte says, the process goes on.
    private func isRefused(_ path: String) -> Bool {
        do {
            let checkpoint = try CheckpointFile(path: path)
            for tensor in checkpoint.names { _ = try checkpoint.floats(tensor) }
            return false
        } catch {
            return error.description.hasPrefix(path)
        }
    }

    @Test(arguments: ["nested.pth", "flat.safetensors"])
    func survivesChangedBytes(name: String) throws {
        let flips: [UInt8] = [0x01, 0x80, 0xFF]
        let bytes = try fixture(name)
        let file = try TemporaryFile(bytes)
        let handle = try FileHandle(forUpdating: URL(filePath: file.path))
        var refused = 0
        for position in bytes.indices {
            try handle.seek(toOffset: UInt64(position))
            try handle.write(contentsOf: [bytes[position] ^ flips[position % 3]])
            if isRefused(file.path) { refused += 1 }
            try handle.seek(toOffset: UInt64(position))
            try handle.write(contentsOf: [bytes[position]])
        }
        #expect(refused > 100 && refused <= bytes.count)
    }

    @Test(arguments: ["nested.pth", "flat.safetensors"])
    func refusesEveryTruncation(name: String) throws {
        let bytes = try fixture(name)
        let file = try TemporaryFile(bytes)
        let handle = try FileHandle(forUpdating: URL(filePath: file.path))
        for length in bytes.indices.reversed() {
            try handle.truncate(atOffset: UInt64(length))
            #expect(isRefused(file.path))
        }
    }
}
