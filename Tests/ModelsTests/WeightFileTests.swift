import Checkpoint
import Foundation
import JSON
import Recipe
import Testing
import TokenizerCore

@testable import Models

/// Files of weights as people save them: behind a prefix, as pickled objects, cut, or beside another model's settings.
@Suite(.serialized)
struct WeightFileTests {
    func message(_ folder: String) -> String {
        do {
            return "loaded: \(try ModelLoader.load(ModelSource(id: "x", folder: folder)).description.warnings)"
        } catch {
            return "\(error)"
        }
    }

    static let small = size(encoder: (64, 2), decoder: (64, 2))

    private static func size(encoder: (width: Int, layers: Int), decoder: (width: Int, layers: Int)) -> SFTokSize {
        var size = SFTokSize.tiny
        (size.encoderWidth, size.encoderLayers) = encoder
        (size.decoderWidth, size.decoderLayers) = decoder
        size.codes = 16
        return size
    }

    /// The small SFTok, its tensors under other names; `nil` leaves one out.
    func folder(
        _ size: SFTokSize = small, adding: [String: [Int]] = [:], config: String = "{}",
        name: (String) -> String? = { $0 }
    ) throws -> TemporaryModel {
        let folder = try TemporaryModel()
        let writer = SafetensorsWriter()
        for (tensor, shape) in size.shapes {
            if let stored = name(tensor) { writer.add(tensor, as: stored, shape: shape, seed: 0) }
        }
        for (tensor, shape) in adding { writer.add(tensor, shape: shape, seed: 0) }
        try writer.write(to: folder.path + "/model.safetensors")
        try folder.write(config, to: "config.json")
        return folder
    }

    // MARK: Prefixes

    @Test(arguments: [
        "module.", "_orig_mod.", "state_dict.", "model.", "module._orig_mod.", "state_dict.model.",
        "state_dict.module._orig_mod.",
    ])
    func aPrefixOfAllNamesIsLeftOut(prefix: String) throws {
        let plain = try folder()
        let expected = try ModelLoader.load(ModelSource(id: "x", folder: plain.path)).description
        #expect(expected.warnings == [])
        let wrapped = try folder { prefix + $0 }
        let found = try ModelLoader.load(ModelSource(id: "x", folder: wrapped.path)).description
        #expect(found.contract.fingerprint == expected.contract.fingerprint)
        #expect(
            found.warnings == [
                "\(wrapped.path)/model.safetensors: names begin with '\(prefix)', which is left out"
            ])
        let replicated = try ModelLoader.load(ModelSource(id: "x", folder: wrapped.path), imagesAtOnce: 2)
        #expect(replicated.description.warnings.count == 1, "said once, whatever the replicas")
    }

    @Test func aPrefixOfSomeNamesIsNone() throws {
        let one = try folder { $0 == "encoder.ln_pre.bias" ? "module." + $0 : $0 }
        #expect(message(one.path).contains("the spare tensor 'module.encoder.ln_pre.bias' has"), "\(message(one.path))")
        let others = try folder { $0 == "encoder.ln_pre.bias" ? $0 + "_x" : "module." + $0 }
        #expect(
            message(others.path).hasSuffix(
                "tensor 'encoder.ln_pre.bias' is missing; expected shape [64], which the spare tensor "
                    + "'encoder.ln_pre.bias_x' has: is it the same under another name?"))
        let foreign = try folder { "wrapper." + $0 }
        #expect(message(foreign.path).contains("no tokenizer's tensors"))
    }

    /// Each part of a ReVQ model may be wrapped by itself, and so may the VAE and the statistics.
    @Test(arguments: [
        ("", "module.", "", ""), ("_orig_mod.", "", "", ""), ("module.", "module._orig_mod.", "", ""),
        ("", "", "state_dict.", ""), ("", "", "", "model."),
    ])
    func prefixesOfParts(quantizer: String, decoder: String, vae: String, statistics: String) throws {
        let model = try TemporaryModel.revq(.tiny, latentDeviation: 1)
        let expected = try ModelLoader.load(ModelSource(id: "x", folder: model.path)).description
        let main = SafetensorsWriter()
        main.add("embeddings", as: "quantizer.\(quantizer)embeddings", shape: ReVQSize.tiny.codebookShape, seed: 0)
        for (name, shape) in ReVQSize.tiny.rectifierShapes {
            main.add(name, as: "decoder.\(decoder)\(name)", shape: shape, seed: 1)
        }
        try main.write(to: model.path + "/model.safetensors")
        let networks = SafetensorsWriter()
        for (name, shape) in ReVQSize.tiny.vaeShapes { networks.add(name, as: vae + name, shape: shape, seed: 0) }
        try networks.write(to: model.path + "/vae/diffusion_pytorch_model.safetensors")
        let numbers = SafetensorsWriter()
        for name in ["mean", "std"] { numbers.add(name, as: statistics + name, shape: [2048], seed: 0) }
        try numbers.write(to: model.path + "/preprocessor.pth")
        let found = try ModelLoader.load(ModelSource(id: "x", folder: model.path)).description
        #expect(found.contract.fingerprint == expected.contract.fingerprint)
        #expect(found.warnings.count == 1 && found.warnings[0].hasSuffix("which is left out"), "\(found.warnings)")
    }

    // MARK: Pickles

    /// Each is refused by what PyTorch finds in the way (`Fixtures/make_pickles.py`), and says what to save instead.
    @Test(arguments: [
        ("module", "what it holds needs the global"), ("module-in-dictionary", "entry 'model' needs the global"),
        ("rectifier-module", "entry 'decoder' needs the global"), ("defaultdict", "what it holds needs the global"),
        ("defaultdict-in-dictionary", "entry 'state_dict' needs the global"),
        ("arrays", "3 entries, the first of which is 'latent_tokens', need the global"),
        ("one-array", "entry 'latent_tokens' needs the global"),
    ])
    func pickledObjectsAreNamed(name: String, told: String) throws {
        let line = try #require(
            try pickleLines(name).first { $0.contains("needs the global") || $0.contains("need the global") })
        #expect(line.contains(told), "\(line)")
        #expect(line.contains("'\(try found(name))'"), "\(line)")
        #expect(line.hasSuffix("save the state dict: torch.save(model.state_dict(), …)"), "\(line)")
    }

    @Test func laterProtocolsAreCalledByTheirNames() throws {
        for version in [4, 5] {
            #expect(try found("protocol\(version)").hasPrefix("Unsupported operand"))
            let line = try #require(try pickleLines("protocol\(version)").first)
            #expect(
                line.hasSuffix(
                    "pickle protocol \(version); expected protocol 2, as torch.save writes it and "
                        + "torch.load(weights_only=True) reads it: save it again without pickle_protocol"), "\(line)")
        }
        #expect(try found("protocol3").isEmpty)
        let file = try CheckpointFile(path: Golden.fixtures + "/pickle-protocol3.pth")
        #expect(try file.floats("latent_tokens") == [0, 0, 0, 0])
    }

    private func found(_ name: String) throws -> String {
        let path = Golden.fixtures + "/pickles.json"
        let all = try JSONValue.parse(Array(Data(contentsOf: URL(fileURLWithPath: path))))
        return try #require(all[name]?.stringValue)
    }

    private func pickleLines(_ name: String) throws -> [String] {
        let model = try TemporaryModel.revq(.tiny, latentDeviation: 1)
        try FileManager.default.removeItem(atPath: model.path + "/model.safetensors")
        try FileManager.default.copyItem(
            atPath: Golden.fixtures + "/pickle-\(name).pth", toPath: model.path + "/ckpt.pth")
        do {
            _ = try ModelLoader.load(ModelSource(id: "x", folder: model.path))
            return []
        } catch ModelError.defects(let lines) {
            return lines
        } catch {
            return ["\(error)"]
        }
    }

    // MARK: Cut files, biases, settings

    @Test(arguments: [
        ("encoder.transformer.0.mlp.c_fc.bias", [256]), ("encoder.patch_embed.bias", [64]),
        ("encoder.conv_out.bias", [32]), ("decoder.decoder_embed.bias", [64]), ("decoder.ffn.2.bias", [1024]),
        ("quantize.shared_linear.bias", [32]), ("pixel_decoder.up.2.upsample_conv.bias", [64]),
        ("pixel_decoder.conv_out.bias", [3]),
    ])
    func aMissingBiasIsNotZeros(name: String, shape: [Int]) throws {
        let folder = try folder { $0 == name ? nil : $0 }
        #expect(
            message(folder.path)
                == "\(folder.path)/model.safetensors: tensor '\(name)' is missing; expected shape \(shape)")
    }

    @Test(arguments: [
        ("pixel_decoder.mid.0.conv1.bias", 128), ("pixel_decoder.up.3.block.0.nin_shortcut.bias", 64),
        ("pixel_quantize.embedding.bias", 256), ("latent_tokens.bias", 64), ("decoder.learnable_embedding.bias", 64),
    ])
    func aBiasWhereTheArchitectureHasNoneIsSpare(name: String, count: Int) throws {
        let folder = try folder(adding: [name: [count]])
        #expect(
            message(folder.path)
                == "\(folder.path)/model.safetensors: spare tensor that the model does not have: '\(name)', of shape "
                + "[\(count)]")
    }

    static let cut = size(encoder: (768, 2), decoder: (512, 8))

    /// Widths as the words say, without the last blocks; a model of another size; numbers that shapes contradict.
    @Test(arguments: [
        (
            #"{"model": {"vq_model": {"vit_enc_model_size": "base"}}}"#,
            "model.vq_model.vit_enc_model_size is 'base' (12 layers, 768 wide), but the tensors of",
            "2 layers, 768 wide"
        ),
        (
            #"{"model": {"decoder": {"vit_dec_model_size": "large"}}}"#,
            "model.decoder.vit_dec_model_size is 'large' (24 layers, 1024 wide), but", "8 layers, 512 wide"
        ),
        (
            #"{"model": {"vq_model": {"num_latent_tokens": 128}}}"#, "model.vq_model.num_latent_tokens is 128, but",
            "say 64"
        ),
        (
            #"{"dataset": {"preprocessing": {"crop_size": 512}}}"#, "dataset.preprocessing.crop_size is 512, but",
            "say 256"
        ),
        (#"{"model": {"vq_model": {"num_group": 2}}}"#, "model.vq_model.num_group is 2, but", "say 1"),
        (#"{"model": {"decoder": {"num_proxy_codes": 64}}}"#, "model.decoder.num_proxy_codes is 64, but", "say 256"),
        (#"{"model": {"vq_model": {"token_size": 12}}}"#, "model.vq_model.token_size is 12, but", "say 32"),
        (
            #"{"model": {"vq_model": {"token_size": "32"}}}"#, "model.vq_model.token_size is \"32\"",
            "expected an integer"
        ),
        (#"{"model": {"vq_model": [1]}}"#, "model.vq_model is [1]", "expected an object"),
    ])
    func settingsThatShapesContradict(config: String, claimed: String, actual: String) throws {
        let table = TensorTable(path: "weights", shapes: Self.cut.shapes)
        let node = try JSONValue.parse(Array(config.utf8))
        var lines: [String]
        do {
            lines = try SFTokLayout.problems(table, ConfigSection(ConfigNode(node), at: "config.json"))
        } catch {
            lines = ["\(error)"]
        }
        #expect(lines.count == 1, "\(lines)")
        let line = lines.first ?? ""
        #expect(line.hasPrefix("config.json: \(claimed)") && line.contains(actual), "\(line)")
    }

    /// The same tensors beside settings that agree, or that have a word of their own.
    @Test(arguments: [
        "{}", #"{"model": {"vq_model": {"vit_enc_model_size": "custom", "num_latent_tokens": 64}}}"#,
        #"{"model": {"decoder": {"vit_dec_model_size": "small"}}}"#, #"{"model": {"vq_model": null}}"#,
        #"{"dataset": {"preprocessing": {"crop_size": 256}}}"#,
    ])
    func settingsThatAgree(config: String) throws {
        let node = try JSONValue.parse(Array(config.utf8))
        let table = TensorTable(path: "weights", shapes: Self.cut.shapes)
        #expect(try SFTokLayout.problems(table, ConfigSection(ConfigNode(node), at: "c")) == [])
    }

    @Test(arguments: [
        ("config.json", "[1]", "holds an array; expected an object of settings"),
        ("config.json", "null", "holds null; expected an object of settings"),
        ("config.json", "7", "holds a number; expected an object of settings"),
        ("config.json", "\"model\"", "holds a string; expected an object of settings"),
        ("config.json", "true", "holds a boolean; expected an object of settings"),
        ("model.yaml", "- model\n", "holds an array; expected an object of settings"),
    ])
    func aConfigurationIsAnObject(name: String, text: String, expected: String) throws {
        let folder = try folder()
        try FileManager.default.removeItem(atPath: folder.path + "/config.json")
        try folder.write(text, to: name)
        #expect(message(folder.path) == "\(folder.path)/\(name): \(expected)")
    }

    @Test func anEmptyYAMLFileSaysNothing() throws {
        let folder = try folder()
        try FileManager.default.removeItem(atPath: folder.path + "/config.json")
        try folder.write("# all as usual\n", to: "model.yaml")
        #expect(message(folder.path) == "loaded: []")
    }
}
