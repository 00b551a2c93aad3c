import Checkpoint
import Foundation
import JSON
import Recipe
import Testing
import TokenizerCore

@testable import Models

/// Folders that are wrong, and what is said of them.
@Suite(.serialized)
struct LoaderTests {
    func message(_ source: ModelSource) -> String {
        do {
            _ = try ModelLoader.load(source)
            return "loaded"
        } catch {
            return "\(error)"
        }
    }

    /// The tiny SFTok with some tensors left out, added or given another shape.
    func folder(
        without: Set<String> = [], adding: [String: [Int]] = [:], config: String? = "{\"model\": {}}"
    ) throws -> TemporaryModel {
        let folder = try TemporaryModel()
        let writer = SafetensorsWriter()
        for (name, shape) in SFTokSize.tiny.shapes.merging(adding, uniquingKeysWith: { $1 })
        where !without.contains(name) {
            writer.add(name, shape: shape, seed: 0)
        }
        try writer.write(to: folder.path + "/model.safetensors")
        if let config { try folder.write(config, to: "config.json") }
        return folder
    }

    struct Defect: Sendable {
        var without: Set<String> = []
        var adding: [String: [Int]] = [:]
        let expected: String
    }

    static let defects: [Defect] = [
        Defect(
            without: ["encoder.ln_pre.bias"],
            expected: "tensor 'encoder.ln_pre.bias' is missing; expected shape [128]"),
        Defect(
            adding: ["decoder.ffn.0.bias": [255]],
            expected: "tensor 'decoder.ffn.0.bias' has shape [255]; expected [256]"),
        Defect(adding: ["extra.weight": [2]], expected: "spare tensor that the model does not have: 'extra.weight'"),
        Defect(without: ["latent_tokens"], expected: "tensor 'latent_tokens' is missing"),
        Defect(
            adding: ["latent_tokens": [64]], expected: "tensor 'latent_tokens' has shape [64]; expected [64, 128]"),
        Defect(
            without: ["pixel_decoder.up.3.block.0.nin_shortcut.weight"],
            expected:
                "tensor 'pixel_decoder.up.3.block.0.nin_shortcut.weight' is missing; expected shape [64, 64, 1, 1]"),
        Defect(
            without: Set(SFTokSize.tiny.shapes.keys.filter { $0.hasPrefix("pixel_decoder.up.4.") }),
            adding: [:], expected: "the stages make 128 pixels or more, expected 256"),
        Defect(
            without: Set(SFTokSize.tiny.shapes.keys.filter { $0.hasPrefix("pixel_decoder.mid.0.") }),
            expected: "'pixel_decoder.mid' must be numbered from 0 without a gap, found [1]"),
        Defect(
            without: Set(SFTokSize.tiny.shapes.keys.filter { $0.hasPrefix("encoder.transformer.0.") }),
            expected: "must be numbered from 0 without a gap, found [1]"),
        Defect(
            without: ["quantize.embedding"],
            expected: "tensor 'quantize.embedding' is missing; expected shape [1, any, 32]"),
        Defect(
            without: ["encoder.transformer.0.ln_1.weight", "encoder.transformer.0.ln_2.bias"],
            expected: "and 1 more"),
    ]

    @Test(arguments: defects)
    func sftokDefects(_ defect: Defect) throws {
        let folder = try folder(without: defect.without, adding: defect.adding)
        let text = message(ModelSource(id: "x", folder: folder.path))
        #expect(text.contains(defect.expected), "\(text)")
        #expect(text.contains(folder.path) && !text.contains("\n"), "\(text)")
    }

    @Test(arguments: [
        ("{\"model\": {\"generator\": {\"num_steps\": 0}}}", "num_steps is 0, expected 1 to 64"),
        ("{\"model\": {\"decoder\": {\"randomize_temperature\": -1}}}", "randomize_temperature is -1"),
        ("{\"model\": {\"decoder\": {\"num_steps\": \"16\"}}}", "num_steps is \"16\", expected an integer"),
        (
            "{\"model\": {\"generator\": null, \"decoder\": {\"num_steps\": 8.5}}}",
            "num_steps is 8.5, expected an integer"
        ),
        ("{\"model\": ", "config.json"),
    ])
    func badSettings(config: String, expected: String) throws {
        let folder = try folder(config: config)
        #expect(message(ModelSource(id: "x", folder: folder.path)).contains(expected))
    }

    @Test func foldersAndFiles() throws {
        let empty = try TemporaryModel()
        #expect(message(ModelSource(id: "x", folder: empty.path + "/none")).contains("there is no such folder"))
        #expect(message(ModelSource(id: "x", folder: empty.path)).contains("found none"))
        try empty.write("a", to: "a.bin")
        try empty.write("b", to: "b.pth")
        #expect(message(ModelSource(id: "x", folder: empty.path)).contains("found a.bin, b.pth"))
        let unconfigured = try folder(config: nil)
        #expect(message(ModelSource(id: "x", folder: unconfigured.path)).contains("configuration"))
    }

    @Test func settingsComeFromGeneratorThenDecoderThenDefaults() throws {
        let generator = try folder(
            config: "{\"model\": {\"generator\": {\"num_steps\": 3}, \"decoder\": {\"num_steps\": 5}}}")
        let decoder = try folder(config: "{\"model\": {\"decoder\": {\"randomize_temperature\": 0.5}}}")
        let first = try ModelLoader.load(ModelSource(id: "x", folder: generator.path)).description.contract
        let second = try ModelLoader.load(ModelSource(id: "x", folder: decoder.path)).description.contract
        #expect(first.defaultSteps == 3 && first.defaultTemperature == 1)
        #expect(second.defaultSteps == 8 && second.defaultTemperature == 0.5)
    }

    @Test func configurationThatDisagreesIsRefused() throws {
        let folder = try folder(config: "{\"model\": {\"vq_model\": {\"codebook_size\": 8192}}}")
        let (config, weights) = (folder.path + "/config.json", folder.path + "/model.safetensors")
        #expect(
            message(ModelSource(id: "x", folder: folder.path))
                == "\(config): model.vq_model.codebook_size is 8192, but tensor 'quantize.embedding' of shape "
                + "[1, 512, 32] of \(weights) says 512: the file is cut or another model's")
    }

    @Test func revqParts() throws {
        let model = try TemporaryModel.revq(.tiny, latentDeviation: 1)
        try FileManager.default.removeItem(atPath: model.path + "/preprocessor.pth")
        #expect(
            message(ModelSource(id: "x", folder: model.path))
                == "\(model.path): expected preprocessor.pth or preprocessor.safetensors; found neither")
        let deviations = SafetensorsWriter()
        deviations.add("mean", shape: [2048], seed: 0)
        deviations.add("std", values: [Float](repeating: 1, count: 2047) + [0])
        try deviations.write(to: model.path + "/other.safetensors.stats")
        let source = ModelSource(id: "x", folder: model.path, preprocessor: model.path + "/other.safetensors.stats")
        #expect(message(source).contains("std[2047] is 0.0"))
        try model.write("{\"attention_head_dim\": 64}", to: "vae/config.json")
        #expect(message(source).contains("attention_head_dim is 64, expected 32"))
    }

    /// Tensors of every file that a model takes, each with one number that isn't finite.
    @Test(arguments: [
        ("/model.safetensors", Float.nan, "nan"), ("/vae/diffusion_pytorch_model.safetensors", .infinity, "inf"),
        ("/preprocessor.pth", -.infinity, "-inf"),
    ])
    func revqNumbersAreFinite(file: String, number: Float, told: String) throws {
        let model = try TemporaryModel.revq(.tiny, latentDeviation: 1)
        try eachTensorIsRefused(in: model, file, number, told)
    }

    @Test func sftokNumbersAreFinite() throws {
        try eachTensorIsRefused(in: TemporaryModel.sftok(.tiny), "/model.safetensors", .nan, "nan")
    }

    private func eachTensorIsRefused(
        in model: TemporaryModel, _ file: String, _ number: Float, _ told: String
    ) throws {
        let path = model.path + file
        let bytes = try Data(contentsOf: URL(fileURLWithPath: path))
        let dataStart = 8 + bytes.prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
        let header = try JSONValue.parse(Array(bytes[8..<dataStart]))
        let handle = try #require(FileHandle(forUpdatingAtPath: path))
        let tensors = try CheckpointFile(path: path).tensors.values.sorted { $0.name < $1.name }
        // Every tenth, and the last: all are read in the same way, and each is a load.
        for (index, tensor) in tensors.enumerated() where index.isMultiple(of: 10) || index == tensors.count - 1 {
            let end = dataStart + (try #require(header[tensor.name]?["data_offsets"]?[1]?.intValue))
            func put(_ bytes: Data) throws {
                try handle.seek(toOffset: UInt64(end - 4))
                try handle.write(contentsOf: bytes)
            }
            try put(withUnsafeBytes(of: number.bitPattern.littleEndian) { Data($0) })
            let last = tensor.shape.map { $0 - 1 }
            #expect(
                message(ModelSource(id: "x", folder: model.path))
                    == "\(path): tensor '\(tensor.name)' holds \(told) at \(last); expected finite numbers")
            try put(bytes[(end - 4)..<end])
        }
    }

    /// The layout of a model that is published in safetensors alone, with its card.
    @Test func preprocessorInSafetensors() throws {
        let model = try TemporaryModel.revq(.tiny, latentDeviation: 1)
        let source = ModelSource(id: "x", folder: model.path)
        let first = try ModelLoader.load(source).description
        try FileManager.default.moveItem(
            atPath: model.path + "/preprocessor.pth", toPath: model.path + "/preprocessor.safetensors")
        try model.write("# x\n", to: "README.md")
        try ModelLoader.checkFiles(source)
        let second = try ModelLoader.load(source).description
        #expect(second.contract.fingerprint == first.contract.fingerprint)
        #expect(second.files.contains { $0 == ("preprocessor", model.path + "/preprocessor.safetensors") })
        try model.write("not tensors", to: "preprocessor.pth")
        #expect(message(source).contains("preprocessor.pth"), "the authors' file goes first")
    }

    /// The identity rectifier: tokens decode straight through the VAE.
    @Test func identityRectifier() throws {
        let model = try TemporaryModel.revq(.tiny, latentDeviation: 1)
        let main = SafetensorsWriter()
        main.add("embeddings", as: "quantizer.embeddings", shape: ReVQSize.tiny.codebookShape, seed: 0)
        try main.write(to: model.path + "/model.safetensors")
        #expect(message(ModelSource(id: "x", folder: model.path)).contains("decoder.conv_in.weight: missing"))
        try model.write("model:\n  decoder: {TYPE: identity}\n", to: "model.yaml")
        let loaded = try ModelLoader.load(ModelSource(id: "x", folder: model.path))
        let revq = try #require(loaded.tokenizer as? ReVQModel)
        let tokens = (0..<512).map { Int32($0 % 256) }
        let plane = revq.dequantized(tokens)
        #expect(revq.rectified(plane) === plane)
        let picture = try revq.decode(tokens, options: DecodeOptions())
        #expect(picture.width == 256 && Set(picture.pixels).count > 16)
    }

    @Test(arguments: [
        ("a=/m", ModelSource(id: "a", folder: "/m")),
        ("/m/512T_NC=16384", ModelSource(id: "512T_NC-16384", folder: "/m/512T_NC=16384")),
        ("/x/sftok-b/", ModelSource(id: "sftok-b", folder: "/x/sftok-b/")),
        (
            "r=/m,vae=/v,preprocessor=/p,precision=bf16",
            ModelSource(id: "r", folder: "/m", vae: "/v", preprocessor: "/p", precision: .bf16)
        ),
    ])
    func sources(text: String, expected: ModelSource) throws {
        #expect(try ModelSource(parsing: text) == expected)
    }

    @Test(arguments: [
        "", "a=", "=x", "a b=/m", "a=/m,vae", "a=/m,precision=int3", "a=/m,nothing=1", "a=/m,vae=/v,vae=/w",
    ])
    func badSources(text: String) {
        #expect(throws: ModelError.self) { try ModelSource(parsing: text) }
    }

    /// Structures that would trap or compute something else: each refused at load.
    @Test func revqStructures() throws {
        func message(_ change: (inout [String: [Int]]) -> Void) throws -> String {
            let model = try TemporaryModel.revq(.tiny, latentDeviation: 1)
            var shapes = ReVQSize.tiny.vaeShapes
            change(&shapes)
            let writer = SafetensorsWriter()
            for (name, shape) in shapes { writer.add(name, shape: shape, seed: 0) }
            try writer.write(to: model.path + "/vae/diffusion_pytorch_model.safetensors")
            return self.message(ModelSource(id: "x", folder: model.path))
        }
        let inverted = "decoder.up_blocks.4.1.conv_out.conv_inverted.weight"
        #expect(
            try message { $0[inverted] = [511, 64, 1, 1] }.hasSuffix(
                "tensor '\(inverted)' has shape [511, 64, 1, 1]; expected [512, 64, 1, 1]"))
        #expect(
            try message { shapes in
                shapes = shapes.filter { !$0.key.hasPrefix("decoder.up_blocks.2.0.") }
            }.contains("'decoder.up_blocks.2' must be numbered from 0 without a gap, found [1]"))
        #expect(
            try message { shapes in
                for (name, shape) in shapes where name.hasPrefix("decoder.up_blocks.4.") {
                    shapes[name.replacingOccurrences(of: "up_blocks.4.", with: "up_blocks.5.0.0.")] = shape
                }
                shapes["decoder.up_blocks.5.1.conv.weight"] = [64, 64, 3, 3]
                shapes["decoder.up_blocks.5.1.conv.bias"] = [64]
            }.contains("makes more than the 256 rows expected"))
    }

    @Test func configurationOfTheVAEIsCompared() throws {
        let model = try TemporaryModel.revq(.tiny, latentDeviation: 1)
        try model.write(
            "{\"latent_channels\": 16, \"encoder_layers_per_block\": [1, 1, 1, 1, 1, 2]}", to: "vae/config.json")
        let error = #expect(throws: ModelError.self) { try ModelLoader.load(ModelSource(id: "x", folder: model.path)) }
        guard case .defects(let lines) = error else {
            Issue.record("\(String(describing: error))")
            return
        }
        #expect(lines.count == 2)
        #expect(lines[0].contains("latent_channels is 16, but") && lines[0].contains("say 32"), "\(lines)")
        #expect(
            lines[1].contains("encoder_layers_per_block is [1, 1, 1, 1, 1, 2], but")
                && lines[1].contains("say [1, 1, 1, 1, 1, 1]"), "\(lines)")
    }

    @Test func requestsAreChecked() throws {
        let folder = try folder()
        let loaded = try ModelLoader.load(ModelSource(id: "x", folder: folder.path))
        #expect(throws: TokenizerError.tokenCount(found: 3, expected: 64)) {
            try loaded.tokenizer.decode([1, 2, 3], options: DecodeOptions())
        }
        var tokens = [Int32](repeating: 0, count: 64)
        tokens[5] = 512
        #expect(throws: TokenizerError.tokenRange(position: 5, found: 512, codebookSize: 512)) {
            try loaded.tokenizer.decode(tokens, options: DecodeOptions())
        }
        tokens[5] = 0
        for (steps, temperature) in [(0, 1), (65, 1), (8, -1), (8, Float.nan)] {
            let options = DecodeOptions(steps: steps, temperature: temperature)
            #expect(throws: TokenizerError.self) { try loaded.tokenizer.decode(tokens, options: options) }
        }
        #expect(throws: TokenizerError.imageSize(found: [2, 1], expected: [256, 256])) {
            try loaded.tokenizer.encode(
                RGBImage(width: 1, height: 2, pixels: [0, 0, 0, 0, 0, 0]), options: EncodeOptions())
        }
    }
}
