import Foundation
import Recipe
import Tensor
import Testing
import TokenizerCore

@testable import Models

private let goldenFolder = ProcessInfo.processInfo.environment["TESSERA_GOLDENS"]

/// Full-size models on recipe weights: gigabytes and minutes, so only where `TESSERA_GOLDENS` names the goldens' folder
/// (`make goldens GOLDENS=FOLDER`). `TESSERA_GOLDEN_NAMES` limits which.
@Suite(.serialized, .enabled(if: goldenFolder != nil))
struct FullSizeGoldenTests {
    /// The golden, or `nil` where it isn't asked for.
    func golden(_ name: String) throws -> Golden? {
        let names = ProcessInfo.processInfo.environment["TESSERA_GOLDEN_NAMES"]
        if let names, !names.isEmpty, !names.split(separator: " ").contains(Substring(name)) { return nil }
        return try Golden(name, in: try #require(goldenFolder))
    }

    @Test(arguments: [("sftok-b", SFTokSize.base), ("sftok-l", SFTokSize.large)])
    func sftok(name: String, size: SFTokSize) throws {
        guard let golden = try golden(name) else { return }
        let folder = try TemporaryModel.sftok(size, seed: golden.seed)
        let loaded = try ModelLoader.load(ModelSource(id: name, folder: folder.path))
        try SFTokGolden(golden: golden, model: try #require(loaded.tokenizer as? SFTokModel)).check()
    }

    @Test(arguments: [("revq-512t", ReVQSize.tokens512), ("revq-256t-b", ReVQSize.tokens256)])
    func revq(name: String, size: ReVQSize) throws {
        guard let golden = try golden(name) else { return }
        let folder = try TemporaryModel.revq(
            size, seed: golden.seed, latentDeviation: golden.floats("latent_std")[0])
        let loaded = try ModelLoader.load(ModelSource(id: name, folder: folder.path))
        try ReVQGolden(golden: golden, model: try #require(loaded.tokenizer as? ReVQModel)).check()
    }

    /// 256 codebooks of 262,144 codes: the search alone, every id, against float64 distances.
    @Test func search() throws {
        guard let golden = try golden("search-256t-l") else { return }
        let shape = [256, 262_144, 8]
        let codes = FloatBuffer(count: shape.reduce(1, *))
        Recipe.fill(codes.buffer, name: "embeddings", seed: golden.seed)
        let codebooks = Codebooks(books: shape[0], count: shape[1], dimensions: shape[2], codes: codes)
        let queries = try golden.floats("queries"), expected = try golden.ints("tokens")
        let margins = try golden.doubles("margin")
        let found = codebooks.nearest(queries, count: expected.count)
        golden.expectEqual(found.ids, expected, "tokens") { position, _, _ in
            (Float(margins[position]), abs(found.margins[position] - Float(margins[position])))
        }
        let images = expected.count / shape[0]
        let start = ContinuousClock.now
        for _ in 0..<10 { _ = codebooks.nearest(queries, count: expected.count) }
        golden.say("an image's search takes \(start.duration(to: .now) / (10 * images)), \(Compute.threads) threads")
        let error = zip(found.margins, margins).reduce(0) { max($0, abs(Double($1.0) - $1.1)) }
        golden.say("margins: largest difference \(error)")
        #expect(error < 1e-5)
    }
}
