import Checkpoint
import FilePaths
import Foundation
import ImageInput
import JSON
import Recipe
import Testing
import TokenizerCore

@testable import Training

/// Five images, of which one can't be read, and a cache of 50 crops of them in shards of 8.
private struct Example {
    let folder: DataFolder
    let paths: [String]
    let plan: CropPlan

    init(crops: Int? = 50, seed: UInt64 = 1) throws {
        let folder = try DataFolder()
        let sound = try [("a.png", 40, 20), ("b.png", 9, 9), ("c.png", 30, 33), ("d.png", 17, 60)].map {
            try folder.picture($0, width: $1, height: $2)
        }
        // Whole up to its header, so that only decoding finds out.
        let cut = try folder.write(Array(folder.bytes("a.png").prefix(60)), to: "cut.png")
        self.folder = folder
        paths = [sound[0], sound[1], cut, sound[2], sound[3]]
        plan = try CropPlan(paths, crops: crops, seed: seed, preprocessing: FakeSource().preprocessing)
    }

    var cache: String { folder.path + "/cache" }

    @discardableResult
    func build(_ source: FakeSource, plan: CropPlan? = nil, shardSize: Int = 8) throws -> Int {
        try LatentCache.build(in: cache, plan: plan ?? self.plan, source: source, shardSize: shardSize)
    }

    func bytes() throws -> [String: [UInt8]] {
        let names = try folder.names(in: "cache")
        return try Dictionary(uniqueKeysWithValues: names.map { ($0, try folder.bytes("cache/\($0)")) })
    }

    /// What the plan's squares should give.
    func expected() throws -> [(picture: Int, latent: [Float])] {
        try (0..<plan.count).compactMap { index in
            let (picture, crop) = plan.square(index)
            guard picture != 2 else { return nil }
            let whole = try decode(Array(Data(contentsOf: URL(fileURLWithPath: paths[picture])))).image
            return (picture, FakeSource.latent(of: plan.cut(whole, picture: picture, crop: crop)))
        }
    }
}

@Suite struct DataCacheTests {
    /// Every second image can't be read: an earlier run's shards know them by the bytes of their names.
    @Test func picturesNamesNeedNotBeUTF8() throws {
        let folder = try DataFolder()
        let root = Path(folder.path).appending("in")
        let picture = try Path(folder.picture("in/plain.png", width: 20, height: 20))
        for (number, name) in DataListTests.names.enumerated() {
            let target: Path = number % 2 == 0 ? picture : "nowhere"
            let made = root.appending(name).withCString { name in target.withCString { symlink($0, name) } }
            try #require(made == 0)
        }
        let pictures = try PictureList.read(root)
        #expect(pictures.map(\.name) == (DataListTests.names + ["plain.png"]).sorted())
        let lost = pictures.filter { path in DataListTests.names.firstIndex(of: path.name).map { $0 % 2 == 1 } ?? false
        }
        #expect(lost.count == 4)
        for crops in [nil, 40] {
            let plan = try CropPlan(pictures, crops: crops, seed: 1, preprocessing: FakeSource().preprocessing)
            var told: [Path] = []
            let cache = "\(folder.path)/cache\\xe9-\(crops ?? 0)"
            let count = try LatentCache.build(
                in: cache, plan: plan, source: FakeSource(), shardSize: 4, skipped: { path, _ in told.append(path) })
            #expect(count == crops ?? 5 && told == lost)
            told = []
            let again = FakeSource()
            #expect(
                try LatentCache.build(
                    in: cache, plan: plan, source: again, shardSize: 4, skipped: { path, _ in told.append(path) })
                    == count)
            #expect(again.calls == 0 && told == lost)
            #expect(try LatentSet(folder: cache).count == count)
        }
    }

    /// Plain names, as every version before wrote them.
    @Test func aShardOfBeforeIsTaken() throws {
        let folder = try DataFolder()
        let path = folder.path + "/00000.safetensors"
        try SafetensorsWriter.write(
            [
                NewTensor(name: "latents", shape: [1, 1, 1, 1], values: .float32([1])),
                NewTensor(name: "picture", shape: [1], values: .int32([0])),
            ], metadata: ["skipped": "[[\"/x/Zwei ü.png\",\"cannot be read\"],[\"/x/a\\\\b%20.png\",\"missing\"]]"],
            to: path)
        let skipped = try LatentShard(path: path).skipped
        #expect(skipped.map(\.path.bytes) == [Array("/x/Zwei ü.png".utf8), Array("/x/a\\b%20.png".utf8)])
    }

    @Test(arguments: [50, nil])
    func latentsAreThoseOfThePlan(crops: Int?) throws {
        let example = try Example(crops: crops)
        var steps: [Int] = []
        var skipped: [String] = []
        let source = FakeSource()
        let count = try LatentCache.build(
            in: example.cache, plan: example.plan, source: source, shardSize: 8,
            progress: { done, total in
                steps.append(done)
                #expect(total == example.plan.count)
            },
            skipped: { skipped.append("\($0): \($1)") })
        let expected = try example.expected()
        #expect(count == expected.count && source.calls == count)
        #expect(steps == Array(0...example.plan.count))
        #expect(skipped.count == 1 && skipped[0].hasPrefix(example.paths[2] + ": the png picture can't be decoded"))
        let set = try LatentSet(folder: example.cache)
        #expect(set.count == count && set.shape == [3, 1, 2] && set.numbers == 6)
        for (index, (picture, latent)) in expected.enumerated() {
            #expect(set.picture(of: index) == picture)
            #expect(set.withLatent(index) { Array($0) } == latent)
        }
    }

    @Test func wholePicturesAreCentred() throws {
        let example = try Example(crops: nil)
        try example.build(FakeSource())
        let whole = prepare(image("c.png", height: 33, width: 30), for: FakeSource().preprocessing)
        #expect(try LatentSet(folder: example.cache).withLatent(2) { Array($0) } == FakeSource.latent(of: whole))
    }

    /// Stopped after any number of latents and begun again, the cache is the same to the byte, and no whole shard is
    /// computed twice.
    @Test(arguments: [0, 5, 8, 20, 37])
    func aStoppedBuildGoesOn(limit: Int) throws {
        let example = try Example()
        let reference = FakeSource()
        try example.build(reference)
        let expected = try example.bytes()
        try FileManager.default.removeItem(atPath: example.cache)
        #expect(throws: FakeSource.Stopped.self) { try example.build(FakeSource(limit: limit)) }
        let kept = try example.bytes()
        #expect(kept.allSatisfy { expected[$0.key] == $0.value })
        let shards = kept.keys.filter { $0.hasSuffix(".safetensors") }
        let done = try shards.map { try LatentShard(path: "\(example.cache)/\($0)").count }.reduce(0, +)
        #expect(done <= limit && (limit < 8 || done > 0))
        let source = FakeSource()
        #expect(try example.build(source) == reference.calls)
        #expect(source.calls == reference.calls - done)
        #expect(try example.bytes() == expected)
    }

    @Test func aWholeCacheIsNotComputedAgain() throws {
        let example = try Example()
        let count = try example.build(FakeSource())
        var steps: [Int] = []
        var skipped: [String] = []
        let again = try LatentCache.build(
            in: example.cache, plan: example.plan, source: FakeSource(limit: 0), shardSize: 8,
            progress: { done, _ in steps.append(done) }, skipped: { path, _ in skipped.append(path.description) })
        #expect(again == count && steps == [50] && skipped == [example.paths[2]])
    }

    @Test(arguments: ["cut", "empty", "garbage", "missing", "other shard", "other shape"])
    func damagedShardsAreMadeAgain(how: String) throws {
        let example = try Example()
        try example.build(FakeSource())
        let expected = try example.bytes()
        let name = "00002.safetensors", path = "\(example.cache)/00002.safetensors"
        let whole = try #require(expected[name])
        switch how {
        case "cut": try example.folder.write(Array(whole.dropLast(5)), to: "cache/\(name)")
        case "empty": try example.folder.write("", to: "cache/\(name)")
        case "garbage": try example.folder.write("garbage, and more of it", to: "cache/\(name)")
        case "missing": try FileManager.default.removeItem(atPath: path)
        case "other shard": try example.folder.write(try #require(expected["00005.safetensors"]), to: "cache/\(name)")
        default:
            let shard = try LatentShard(path: path)
            try LatentShard.write(
                latents: Array(shard.latents), shape: [3, 2, 1], pictures: Array(shard.pictures),
                skipped: shard.skipped, to: path)
        }
        if how != "other shard" {
            #expect(message { _ = try LatentSet(folder: example.cache) }?.contains(name) == true)
        }
        let source = FakeSource()
        try example.build(source)
        #expect(source.calls == (try LatentShard(path: path).count))
        #expect(try example.bytes() == expected)
    }

    @Test func otherSettingsAreRefused() throws {
        let example = try Example()
        try example.build(FakeSource())
        let expected = try example.bytes()
        func plan(_ paths: [String], crops: Int?, seed: UInt64) throws -> CropPlan {
            try CropPlan(paths, crops: crops, seed: seed, preprocessing: FakeSource().preprocessing)
        }
        let paths = example.paths
        let manifest = example.cache + "/manifest.json"
        let cases: [(CropPlan, FakeSource, Int, String)] = [
            (example.plan, FakeSource(fingerprint: "new"), 8, "vae is \"fake\", expected \"new\""),
            (try plan(paths, crops: 51, seed: 1), FakeSource(), 8, "crops is 50, expected 51"),
            (try plan(paths, crops: 50, seed: 2), FakeSource(), 8, "seed is \"1\", expected \"2\""),
            (example.plan, FakeSource(), 9, "shard is 8, expected 9"),
            (
                try plan(paths.reversed(), crops: 50, seed: 1), FakeSource(), 8,
                "this cache was made from other pictures"
            ),
            (try plan(paths, crops: nil, seed: 1), FakeSource(), 8, "crops is 50, expected none"),
        ]
        for (plan, source, shardSize, words) in cases {
            let found = message { try example.build(source, plan: plan, shardSize: shardSize) }
            #expect(found?.hasPrefix("\(manifest): \(words)") == true, "\(found ?? "")")
            #expect(found?.hasSuffix("use another folder") == true)
        }
        try example.folder.picture("b.png", width: 12, height: 9)
        let changed = try plan(paths, crops: 50, seed: 1)
        #expect(
            message { try example.build(FakeSource(), plan: changed) }?.contains("before one of them changed") == true)
        #expect(try example.bytes() == expected)
    }

    @Test func withoutCropsTheSeedDoesNotCount() throws {
        let example = try Example(crops: nil)
        try example.build(FakeSource())
        let other = try CropPlan(example.paths, crops: nil, seed: 77, preprocessing: FakeSource().preprocessing)
        #expect(try example.build(FakeSource(limit: 0), plan: other) == 4)
    }

    @Test(arguments: [
        ("{\"format\": 1", "not a latent cache's manifest"), ("[]", "expected an object, found an array"),
        ("{\"format\": 2}", "format is 2, expected 1"), ("{}", "format is none, expected 1"),
    ])
    func foreignManifestsAreRefused(text: String, words: String) throws {
        let example = try Example()
        try example.folder.write(text, to: "cache/manifest.json")
        #expect(message { try example.build(FakeSource()) }?.contains(words) == true)
        #expect(message { _ = try LatentSet(folder: example.cache) }?.contains(words) == true)
        #expect(try example.folder.names(in: "cache") == ["manifest.json"])
    }

    @Test func shardsWithoutAManifestAreNotOurs() throws {
        let example = try Example()
        try example.build(FakeSource())
        try FileManager.default.removeItem(atPath: example.cache + "/manifest.json")
        #expect(message { try example.build(FakeSource()) }?.contains("holds shards without manifest.json") == true)
    }

    @Test func nothingReadableIsAnError() throws {
        let folder = try DataFolder()
        let path = try folder.write("text", to: "a.png")
        let source = FakeSource()
        let plan = try CropPlan([path], crops: nil, seed: 0, preprocessing: source.preprocessing)
        // The second time from the shard.
        for _ in 0..<2 {
            let found = message { try LatentCache.build(in: folder.path + "/cache", plan: plan, source: source) }
            #expect(found?.hasPrefix("none of the 1 pictures can be read; \(path): an unknown format") == true)
        }
        #expect(message { _ = try LatentSet(folder: folder.path + "/cache") }?.contains("holds no latents") == true)
    }

    @Test func aFolderThatCannotBeMadeIsNamed() throws {
        let example = try Example()
        try example.folder.write("in the way", to: "cache")
        #expect(
            message { try example.build(FakeSource()) }?.hasPrefix(example.cache + ": cannot be written: ")
                == true)
    }

    @Test func latentsThatAreNoNumbersAreRefused() throws {
        final class Broken: LatentSource {
            let channels = 1, height = 1, width = 1
            let fingerprint = "broken"
            let preprocessing = FakeSource().preprocessing
            func latent(of image: RGBImage) -> [Float] { [.nan] }
        }
        let example = try Example()
        let found = message { try LatentCache.build(in: example.cache, plan: example.plan, source: Broken()) }
        #expect(found == "\(example.paths[0]): the VAE's latent holds numbers that are not finite")
    }
}
