import Recipe
import Testing
import TokenizerCore

@testable import Models

/// What a request leaves out has the model's default, and what it asks for is done.
@Suite(.serialized)
struct RequestTests {
    private static func sftok(_ config: String) throws -> (SFTokModel, TemporaryModel) {
        let folder = try TemporaryModel.sftok(.tiny)
        try folder.write(config, to: "config.json")
        let loaded = try ModelLoader.load(ModelSource(id: "tiny", folder: folder.path))
        return (try #require(loaded.tokenizer as? SFTokModel), folder)
    }

    /// Before any of them is looked up: ids are at least 0 and less than the codebook's size, and as many as there are.
    @Test(
        arguments: [
            ([0, 1, 2, 3], nil), ([3, 3, 3, 3], nil), ([], .tokenCount(found: 0, expected: 4)),
            ([0, 1, 2], .tokenCount(found: 3, expected: 4)), ([0, 1, 2, 3, 0], .tokenCount(found: 5, expected: 4)),
            ([0, 1, 2, 4], .tokenRange(position: 3, found: 4, codebookSize: 4)),
            ([-1, 1, 2, 4], .tokenRange(position: 0, found: -1, codebookSize: 4)),
            ([0, .max, 2, .min], .tokenRange(position: 1, found: 0x7FFF_FFFF, codebookSize: 4)),
        ] as [([Int32], TokenizerError?)])
    func tokensAreChecked(tokens: [Int32], expected: TokenizerError?) {
        var contract = FingerprintTests.contract
        (contract.tokensPerImage, contract.codebookSize) = (4, 4)
        var found: TokenizerError?
        do throws(TokenizerError) { try contract.check(tokens) } catch { found = error }
        #expect(found == expected)
    }

    @Test func theAssignmentLeftOutIsSinkhorns() throws {
        let golden = try Golden("sftok-tiny", in: Golden.fixtures)
        let (model, folder) = try Self.sftok("{}")
        let balanced = try golden.ints("tokens"), nearest = try golden.ints("tokens_nearest")
        try #require(balanced != nearest)
        for (asked, expected) in [(nil, balanced), (.sinkhorn, balanced), (.nearest, nearest)]
            as [(
                Assignment?, [Int32]
            )]
        {
            let found = try model.encode(golden.image(), options: EncodeOptions(assignment: asked))
            #expect(zip(found.ids, expected).count { $0 != $1 } <= 1 && found.margins == nil)
            let margins = try model.encode(
                golden.image(), options: EncodeOptions(assignment: asked, wantsMargins: true))
            #expect(margins.ids == found.ids && margins.margins?.count == found.ids.count)
        }
        withExtendedLifetime(folder) {}
    }

    /// Images of the reference: from its pixels as PyTorch rounds them, at most a step off.
    @Test(arguments: [
        ("quiet", DecodeOptions(steps: 8, temperature: 0)), ("four_steps", DecodeOptions(steps: 4, temperature: 0)),
        ("noisy", DecodeOptions(seed: 7, steps: 8, temperature: 1)), ("noisy", DecodeOptions(seed: 7)),
    ])
    func aDecodedPictureIsTheReferences(name: String, options: DecodeOptions) throws {
        let golden = try Golden("sftok-tiny", in: Golden.fixtures)
        let (model, folder) = try Self.sftok("{\"model\": {\"decoder\": {\"randomize_temperature\": 1.0}}}")
        let picture = try model.decode(golden.ints("tokens"), options: options)
        Self.expectClose(picture, try golden.floats("\(name).pixels"), scale: 1, offset: 0)
        withExtendedLifetime(folder) {}
    }

    @Test func aDecodedPictureIsTheReferencesReVQ() throws {
        let golden = try Golden("revq-tiny", in: Golden.fixtures)
        let folder = try TemporaryModel.revq(.tiny, latentDeviation: golden.floats("latent_std")[0])
        let loaded = try ModelLoader.load(ModelSource(id: "tiny", folder: folder.path))
        let picture = try loaded.tokenizer.decode(golden.ints("tokens"), options: DecodeOptions())
        Self.expectClose(picture, try golden.floats("pixels"), scale: 0.5, offset: 0.5)
    }

    /// (3, height, width) numbers beside an image.
    private static func expectClose(_ picture: RGBImage, _ pixels: [Float], scale: Float, offset: Float) {
        let count = picture.width * picture.height
        #expect(pixels.count == 3 * count)
        guard pixels.count == 3 * count else { return }
        var worst = 0, sum = 0
        for at in 0..<count {
            for channel in 0..<3 {
                let value = min(max(pixels[channel * count + at] * scale + offset, 0), 1) * 255
                let difference = abs(Int(picture.pixels[3 * at + channel]) - Int(value.rounded(.toNearestOrEven)))
                worst = max(worst, difference)
                sum += difference
            }
        }
        #expect(worst <= 1 && Double(sum) < 0.02 * Double(3 * count), "largest difference \(worst), sum \(sum)")
    }

    @Test func stepsAndTemperatureLeftOutAreTheConfigurations() throws {
        let tokens = try Golden("sftok-tiny", in: Golden.fixtures).ints("tokens")
        let (model, folder) = try Self.sftok(
            "{\"model\": {\"decoder\": {\"num_steps\": 3, \"randomize_temperature\": 0.5}}}")
        func picture(_ options: DecodeOptions) throws -> RGBImage { try model.decode(tokens, options: options) }
        let plain = try picture(DecodeOptions(seed: 5))
        #expect(try plain == picture(DecodeOptions(seed: 5, steps: 3, temperature: 0.5)))
        #expect(try plain == picture(DecodeOptions(seed: 5)))
        for other in [
            DecodeOptions(seed: 5, steps: 8), DecodeOptions(seed: 5, steps: 2),
            DecodeOptions(seed: 5, temperature: 1), DecodeOptions(seed: 5, temperature: 0), DecodeOptions(seed: 6),
        ] {
            #expect(try plain != picture(other), "\(other)")
        }
        withExtendedLifetime(folder) {}
    }

    /// With numbers as small as epsilon's root before every layer norm (`make_faint.py`).
    @Test func epsilonIsThePublishedOne() throws {
        let folder = try TemporaryModel()
        let parts = ["embedding", "latent_tokens", "patch_embed", "decoder_embed", "ln_pre", "out_proj", "c_proj"]
        let writer = SafetensorsWriter()
        for (name, shape) in SFTokSize.tiny.shapes {
            let isFaint =
                !name.hasPrefix("quantize.") && !name.hasPrefix("pixel_") && parts.contains { name.contains($0) }
            writer.add(name, shape: shape, values: tensor(name, shape: shape).map { isFaint ? $0 / 256 : $0 })
        }
        try writer.write(to: folder.path + "/model.safetensors")
        try folder.write("{}", to: "config.json")
        let loaded = try ModelLoader.load(ModelSource(id: "faint", folder: folder.path))
        let model = try #require(loaded.tokenizer as? SFTokModel)
        let plain = try Golden("sftok-tiny", in: Golden.fixtures)
        let golden = try Golden("sftok-faint", in: Golden.fixtures)
        try golden.expectClose(model.features(of: plain.image()).values, "features", within: 1e-3)
        let logits = model.logits(model.blankIDs, condition: model.condition(try plain.ints("tokens")))
        let rows = stride(from: 0, to: logits.rows, by: 64).flatMap { row in
            (0..<logits.channels).map { logits.data[row * logits.channels + $0] }
        }
        try golden.expectClose(rows, "logits", within: 1e-3)
    }
}
