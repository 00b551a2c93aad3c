import Checkpoint
import Recipe
import Testing

@testable import Models

/// Python writes infinities and NaN into JSON; where nothing reads them, they hold nothing up.
@Suite(.serialized) struct NotFiniteTests {
    private func message(_ source: ModelSource) -> String {
        do {
            _ = try ModelLoader.load(source)
            return "loaded"
        } catch {
            return "\(error)"
        }
    }

    @Test func inSFTok() throws {
        let folder = try TemporaryModel.sftok(.tiny), source = ModelSource(id: "x", folder: folder.path)
        let plain = try ModelLoader.load(source).description.contract
        for text in [
            #"{"eps": Infinity, "model": {"decoder": {"dropout": NaN}, "vq_model": {"scale": [-Infinity]}}}"#,
            #"{"model": {"generator": {"num_steps": 8}, "decoder": {"num_steps": NaN}}}"#, #"{"num_steps": 1e999}"#,
        ] {
            try folder.write(text, to: "config.json")
            #expect(try ModelLoader.load(source).description.contract == plain, "\(text)")
        }
        for (text, says) in [
            (#"{"model": {"decoder": {"num_steps": Infinity}}}"#, "model.decoder.num_steps is Infinity"),
            (
                #"{"model": {"generator": {"randomize_temperature": NaN}}}"#,
                "model.generator.randomize_temperature is NaN"
            ),
            (#"{"model": {"vq_model": {"codebook_size": -Infinity}}}"#, "model.vq_model.codebook_size is -Infinity"),
            (#"{"dataset": {"preprocessing": {"crop_size": NaN}}}"#, "dataset.preprocessing.crop_size is NaN"),
            (#"{"model": {"vq_model": {"token_size": 1e999}}}"#, "model.vq_model.token_size is Infinity"),
        ] {
            try folder.write(text, to: "config.json")
            #expect(message(source) == "\(folder.path)/config.json: \(says), expected a finite number")
        }
    }

    @Test(
        arguments: [
            (
                "config.json", #"{"model": {"quantizer": {"num_code": Infinity}}}"#,
                "model.quantizer.num_code is Infinity"
            ),
            ("config.json", #"{"model": {"input_data_size": [1, NaN, 3]}}"#, "model.input_data_size[1] is NaN"),
            ("vae/config.json", #"{"latent_channels": NaN}"#, "latent_channels is NaN"),
            (
                "vae/config.json", #"{"encoder_layers_per_block": [1, Infinity]}"#,
                "encoder_layers_per_block[1] is Infinity"
            ),
            ("vae/config.json", #"{"attention_head_dim": -Infinity}"#, "attention_head_dim is -Infinity"),
            ("vae/config.json", #"{"scaling_factor": NaN, "latent_channels": 32}"#, nil),
            ("config.json", #"{"model": {"quantizer": {"decay": Infinity}}}"#, nil),
        ] as [(String, String, String?)])
    func inReVQ(name: String, text: String, says: String?) throws {
        let model = try TemporaryModel.revq(.tiny, latentDeviation: 1)
        try model.write(text, to: name)
        let source = ModelSource(id: "x", folder: model.path)
        guard let says else {
            #expect(try ModelLoader.load(source).description.warnings.isEmpty)
            return
        }
        #expect(message(source) == "\(model.path)/\(name): \(says), expected a finite number")
    }
}
