import Recipe
import Testing
import TokenizerCore

@testable import Models

/// Both families at a small size, through files, against what the reference computed.
@Suite(.serialized)
struct TinyGoldenTests {
    @Test func sftok() throws {
        let folder = try TemporaryModel.sftok(.tiny)
        let loaded = try ModelLoader.load(ModelSource(id: "tiny", folder: folder.path))
        let model = try #require(loaded.tokenizer as? SFTokModel)
        #expect(model.contract.tokensPerImage == 64 && model.contract.codebookSize == 512)
        try SFTokGolden(golden: Golden("sftok-tiny", in: Golden.fixtures), model: model).check()
    }

    @Test func revq() throws {
        let golden = try Golden("revq-tiny", in: Golden.fixtures)
        let folder = try TemporaryModel.revq(.tiny, latentDeviation: golden.floats("latent_std")[0])
        let loaded = try ModelLoader.load(ModelSource(id: "tiny", folder: folder.path))
        let model = try #require(loaded.tokenizer as? ReVQModel)
        #expect(model.contract.tokensPerImage == 512 && model.contract.codebookSize == 256)
        try ReVQGolden(golden: golden, model: model).check()
    }
}
