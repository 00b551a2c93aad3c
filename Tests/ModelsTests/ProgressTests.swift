import Models
import Recipe
import Testing
import TokenizerCore

/// A model shows that it goes on at every layer.
struct ProgressTests {
    private func signs(_ tokenizer: any Tokenizer, _ body: () throws -> Void) rethrows -> Int {
        final class Tally { var count = 0 }
        let tally = Tally()
        tokenizer.onProgress { tally.count += 1 }
        try body()
        return tally.count
    }

    @Test func sftok() throws {
        let folder = try TemporaryModel.sftok(.tiny)
        let model = try ModelLoader.load(ModelSource(id: "s", folder: folder.path), threads: 1).tokenizer
        let picture = image("progress", height: 256, width: 256)
        let tokens = try model.encode(picture, options: EncodeOptions()).ids
        #expect(try signs(model) { _ = try model.encode(picture, options: EncodeOptions()) } >= 2)
        let decodings = try [2, 6].map { steps in
            try signs(model) { _ = try model.decode(tokens, options: DecodeOptions(steps: steps)) }
        }
        // Two layers a step.
        #expect(decodings[1] - decodings[0] >= 4 * 2)
    }

    @Test func revq() throws {
        let folder = try TemporaryModel.revq(.tiny, latentDeviation: 1)
        let model = try ModelLoader.load(ModelSource(id: "r", folder: folder.path), threads: 1).tokenizer
        let picture = image("progress", height: 256, width: 256)
        let tokens = try model.encode(picture, options: EncodeOptions()).ids
        // Six stages of a block each, and what changes their size.
        #expect(try signs(model) { _ = try model.encode(picture, options: EncodeOptions()) } >= 6)
        #expect(try signs(model) { _ = try model.decode(tokens, options: DecodeOptions()) } >= 6)
    }
}
