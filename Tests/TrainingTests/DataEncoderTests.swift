import Checkpoint
import Foundation
import ImageInput
import Models
import Recipe
import Testing
import TokenizerCore

@testable import Training

/// The encoder half of the tiny DC-AE.
@Suite(.serialized) struct DataEncoderTests {
    @Test func latentsAreThoseOfTheWholeModel() throws {
        let folder = try TemporaryModel.revq(.tiny, latentDeviation: 1)
        let encoder = try LatentEncoder(folder: folder.path + "/vae", threads: 1)
        #expect(encoder.channels == 32 && encoder.height == 8 && encoder.width == 8)
        #expect(encoder.preprocessing == Preprocessing(filter: .bilinear, size: 256))
        let loaded = try ModelLoader.load(ModelSource(id: "tiny", folder: folder.path), threads: 1)
        let model = try #require(loaded.tokenizer as? ReVQModel)
        let picture = image("encoder", height: 256, width: 256)
        #expect(encoder.latent(of: picture) == model.latent(of: picture).channelsFirst)
    }

    @Test func latentsOfFilesAreCached() throws {
        let folder = try TemporaryModel.revq(.tiny, latentDeviation: 1)
        let encoder = try LatentEncoder(folder: folder.path + "/vae", threads: 1)
        let pictures = try DataFolder()
        let path = try pictures.picture("wide.png", width: 300, height: 280)
        let plan = try CropPlan([path], crops: nil, seed: 0, preprocessing: encoder.preprocessing)
        try LatentCache.build(in: pictures.path + "/cache", plan: plan, source: encoder)
        let square = prepare(image("wide.png", height: 280, width: 300), for: encoder.preprocessing)
        let set = try LatentSet(folder: pictures.path + "/cache")
        #expect(set.withLatent(0) { Array($0) } == encoder.latent(of: square))
    }

    /// The decoder's weights may be others, or missing; the encoder's count.
    @Test func fingerprintIsTheEncoders() throws {
        func fingerprint(encoder: UInt64, decoder: UInt64?) throws -> String {
            let folder = try TemporaryModel()
            let writer = Recipe.SafetensorsWriter()
            for (name, shape) in ReVQSize.tiny.vaeShapes {
                let seed = name.hasPrefix("encoder.") ? encoder : decoder
                if let seed { writer.add(name, shape: shape, seed: seed) }
            }
            try writer.write(to: folder.path + "/vae/diffusion_pytorch_model.safetensors")
            try folder.write("{}", to: "vae/config.json")
            return try LatentEncoder(folder: folder.path + "/vae", threads: 1).fingerprint
        }
        let expected = try fingerprint(encoder: 1, decoder: 1)
        #expect(expected.count == 64)
        #expect(try fingerprint(encoder: 1, decoder: 2) == expected)
        #expect(try fingerprint(encoder: 1, decoder: nil) == expected)
        #expect(try fingerprint(encoder: 2, decoder: 1) != expected)
    }

    @Test func brokenFoldersAreNamed() throws {
        func failure(_ change: (TemporaryModel) throws -> Void) throws -> String? {
            let folder = try TemporaryModel.revq(.tiny, latentDeviation: 1)
            try change(folder)
            return message { _ = try LatentEncoder(folder: folder.path + "/vae", threads: 1) }
        }
        let config = try failure { try $0.write("{\"attention_head_dim\": 64}", to: "vae/config.json") }
        #expect(config?.hasSuffix("attention_head_dim is 64, expected 32") == true)
        let spare = try failure { folder in
            let writer = Recipe.SafetensorsWriter()
            for (name, shape) in ReVQSize.tiny.vaeShapes { writer.add(name, shape: shape, seed: 0) }
            writer.add("encoder.extra", shape: [2], values: [0, 0])
            try writer.write(to: folder.path + "/vae/diffusion_pytorch_model.safetensors")
        }
        #expect(spare?.contains("encoder.extra") == true)
        #expect(
            message { _ = try LatentEncoder(folder: "/nowhere", threads: 1) } == "/nowhere: there is no such folder")
    }
}
