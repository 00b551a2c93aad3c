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

    /// Annealed logits, a single step, and more steps than positions to give away, with a seed beyond 32 bits.
    @Test(arguments: [
        ("annealed", Sampling(steps: 3, temperature: 0.7, annealing: true, seed: 3)),
        ("one_step", Sampling(steps: 1, temperature: 1, seed: 3)),
        ("many_steps", Sampling(steps: 20, temperature: 2, seed: (1 << 32) + 9)),
    ])
    func sampling(name: String, sampling: Sampling) throws {
        let golden = try Golden("sftok-tiny-sampling", in: Golden.fixtures)
        let folder = try TemporaryModel.sftok(.tiny)
        let annealing = "{\"model\": {\"decoder\": {\"softmax_temperature_annealing\": \(sampling.annealing)}}}"
        try folder.write(annealing, to: "config.json")
        let loaded = try ModelLoader.load(ModelSource(id: "tiny", folder: folder.path))
        let model = try #require(loaded.tokenizer as? SFTokModel)
        let tokens = try Golden("sftok-tiny", in: Golden.fixtures).ints("tokens")
        let condition = model.condition(tokens)
        var sampler = model.sampler(sampling)
        var ids = model.blankIDs, last = ids
        var codes: [Int32] = []
        for step in 0..<sampling.steps {
            last = ids
            ids = sampler.decide(ids, step: step, logits: model.logits(ids, condition: condition), model.pool).ids
            codes += ids
        }
        #expect(codes == (try golden.ints("\(name).codes")))
        let logits = model.generate(tokens, sampling)
        // Which computes only what its steps read, and nothing twice: bit for bit the whole.
        let whole = model.logits(last, condition: condition).values.map { sampling.annealing ? $0 / 0.5 : $0 }
        #expect(logits.values == whole)
        let rows = stride(from: 0, to: logits.rows, by: 16).flatMap { row in
            (0..<logits.channels).map { logits.data[row * logits.channels + $0] }
        }
        try golden.expectClose(rows, "\(name).logits", within: 1e-4)
    }
}
