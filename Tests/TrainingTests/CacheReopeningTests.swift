import Foundation
import ImageInput
import Testing
import TokenizerCore

@testable import Training

/// A cache of latents opened again with something changed: all that decides its numbers is compared by name, one thing
/// changed at a time, and nothing is computed or written.
@Suite struct CacheReopeningTests {
    struct Change: Sendable, CustomTestStringConvertible {
        var filter = Preprocessing.Filter.bilinear
        var size = 8
        var vae = "fake"
        var shape = [3, 1, 2]
        var crops: Int? = 12
        var seed: UInt64 = 1
        var shard = 8
        var pictures = ["a.png", "b.png", "c.png"]
        /// After the file's name; `nil`: the cache is taken as it is.
        let message: String?

        var testDescription: String { message ?? "nothing" }
    }

    private static let otherPictures =
        "this cache was made from other pictures, or from these before one of them changed; expected the same files in "
        + "the same order: use another folder"

    private static func other(_ name: String, _ found: String, _ expected: String) -> String {
        "\(name) is \(found), expected \(expected); this cache was made from something else: use another folder"
    }

    static let changes: [Change] = [
        Change(message: nil),
        Change(filter: .bicubic, message: other("preprocessing", "\"bilinear 8\"", "\"bicubic 8\"")),
        Change(size: 9, message: other("preprocessing", "\"bilinear 8\"", "\"bilinear 9\"")),
        Change(size: 16, message: other("preprocessing", "\"bilinear 8\"", "\"bilinear 16\"")),
        Change(vae: "fakf", message: other("vae", "\"fake\"", "\"fakf\"")),
        Change(shape: [3, 2, 1], message: other("latent", "[3,1,2]", "[3,2,1]")),
        Change(shape: [6, 1, 1], message: other("latent", "[3,1,2]", "[6,1,1]")),
        Change(crops: 11, message: other("crops", "12", "11")),
        Change(crops: nil, message: other("crops", "12", "none")),
        Change(seed: 2, message: other("seed", "\"1\"", "\"2\"")),
        Change(shard: 16, message: other("shard", "8", "16")),
        Change(pictures: ["a.png", "c.png", "b.png"], message: otherPictures),
        Change(pictures: ["a.png", "b.png"], message: otherPictures),
        Change(pictures: ["a.png", "b.png", "c.png", "c.png"], message: otherPictures),
    ]

    @Test(arguments: changes) func isCompared(_ change: Change) throws {
        let folder = try DataFolder(), cache = folder.path + "/cache"
        for (name, width, height) in [("a.png", 40, 20), ("b.png", 9, 19), ("c.png", 30, 33)] {
            try folder.picture(name, width: width, height: height)
        }
        func build(_ change: Change, _ source: FakeSource) throws -> Int {
            let plan = try CropPlan(
                change.pictures.map { "\(folder.path)/\($0)" }, crops: change.crops, seed: change.seed,
                preprocessing: source.preprocessing)
            return try LatentCache.build(in: cache, plan: plan, source: source, shardSize: change.shard)
        }
        func contents() throws -> [[UInt8]] { try folder.names(in: "cache").map { try folder.bytes("cache/\($0)") } }
        let count = try build(Change(message: nil), FakeSource())
        let before = try contents()
        // No latent is computed either way.
        let source = FakeSource(
            size: change.size, fingerprint: change.vae, limit: 0, filter: change.filter, shape: change.shape)
        if let expected = change.message {
            let found = message { _ = try build(change, source) }
            #expect(found == "\(cache)/manifest.json: \(expected)")
        } else {
            #expect(try build(change, source) == count)
        }
        #expect(try contents() == before)
    }
}
