import Foundation
import Testing

@testable import Training

/// A cache with given images' numbers of latents (2, 1, 3), written without images.
private final class Latents {
    let set: LatentSet
    let values: [[Float]]
    private let folder: DataFolder

    init(pictures counts: [Int], shard: Int = 7, offset: Float = 0) throws {
        folder = try DataFolder()
        var random = Random(seed: 5, .order)
        let owners = counts.enumerated().flatMap { Array(repeating: Int32($0), count: $1) }
        values = owners.map { _ in (0..<6).map { Float(random.normal()) * Float($0) + offset } }
        for (number, start) in stride(from: 0, to: owners.count, by: shard).enumerated() {
            let range = start..<min(start + shard, owners.count)
            try LatentShard.write(
                latents: values[range].flatMap { $0 }, shape: [2, 1, 3], pictures: Array(owners[range]), skipped: [],
                to: CacheManifest.shardPath(number, in: folder.path))
        }
        try folder.write(
            "{\"format\": 1, \"squares\": \(owners.count), \"shard\": \(shard), \"latent\": [2, 1, 3]}",
            to: "manifest.json")
        set = try LatentSet(folder: folder.path)
    }
}

@Suite struct DataSetTests {
    /// Numbers far from 0 in front of their deviation, and one that never changes.
    @Test(arguments: [Float(0), 1000])
    func statisticsEqualTwoPasses(offset: Float) throws {
        let latents = try Latents(pictures: [40, 25, 35], offset: offset)
        let indices = (0..<100).filter { $0 % 3 != 1 }
        let (mean, deviation) = latents.set.statistics(over: indices)
        for number in 0..<6 {
            let column = indices.map { Double(latents.values[$0][number]) }
            let average = column.reduce(0, +) / Double(column.count)
            let variance = column.reduce(0) { $0 + ($1 - average) * ($1 - average) } / Double(column.count)
            #expect(abs(Double(mean[number]) - average) <= 1e-6 * max(1, abs(average)))
            #expect(abs(Double(deviation[number]) - max(1e-6, variance.squareRoot())) < 1e-6 * (1 + variance))
        }
        #expect(deviation[0] == 1e-6)
        let again = latents.set.statistics(over: indices)
        #expect(again.mean == mean && again.deviation == deviation)
    }

    @Test func gatheringNormalises() throws {
        let latents = try Latents(pictures: [20])
        let mean: [Float] = [1, 2, 3, 4, 5, 6], deviation: [Float] = [0.5, 1, 3, 4, 0.1, 7]
        let indices = [19, 0, 7, 7]
        var out = [Float](repeating: 0, count: 24)
        out.withUnsafeMutableBufferPointer { out in
            if let base = out.baseAddress {
                latents.set.gather(indices, mean: mean, deviation: deviation, into: base)
            }
        }
        let expected = indices.flatMap { index in
            (0..<6).map { (latents.values[index][$0] - mean[$0]) / deviation[$0] }
        }
        #expect(out == expected)
    }

    @Test(arguments: [0.01, 0.1, 0.5, 0.75])
    func validationTakesWholePictures(share: Double) throws {
        let counts = [5, 9, 1, 12, 3, 3, 8, 2, 10, 7]
        let set = try Latents(pictures: counts).set
        let (training, validation) = set.split(validation: share, seed: 3)
        #expect((training + validation).sorted() == Array(0..<60))
        #expect(training == training.sorted() && validation == validation.sorted())
        let owners = Set(validation.map(set.picture))
        #expect(owners.isDisjoint(with: training.map(set.picture)))
        // As near to the share as whole images come: none was taken that overshoots by more than its half.
        let target = max(1, Int((share * 60).rounded()))
        let largest = try #require(owners.map { counts[$0] }.max())
        #expect(validation.count - target <= largest / 2)
        // Each image that was left out would have overshot more.
        for (picture, size) in counts.enumerated() where !owners.contains(picture) && validation.count < target {
            #expect(validation.count + size - target > size / 2)
        }
        #expect(set.split(validation: share, seed: 3).validation == validation)
        #expect(set.split(validation: share, seed: 4).validation != validation)
    }

    @Test(arguments: [
        ([50], 0.1, 5), ([50], 0.001, 1), ([50], 1, 49), ([1], 0.5, 0), ([100, 100], 0.05, 10), ([50], 0.037, 2),
        ([50], 0.033, 2), ([50], 0.029, 1),
    ])
    func singleLatentsAreDividedWhereASideWouldBeEmpty(counts: [Int], share: Double, expected: Int) throws {
        let set = try Latents(pictures: counts).set
        let (training, validation) = set.split(validation: share, seed: 0)
        #expect(validation.count == expected)
        #expect((training + validation).sorted() == Array(0..<set.count))
    }

    @Test(arguments: [0, -1, Double.nan])
    func noShareIsNoValidation(share: Double) throws {
        let (training, validation) = try Latents(pictures: [3, 4]).set.split(validation: share, seed: 0)
        #expect(training == Array(0..<7) && validation.isEmpty)
    }

    @Test(arguments: [
        "{\"format\": 1}", "{\"format\": 1, \"squares\": 3, \"shard\": 0, \"latent\": [2, 1, 3]}",
        "{\"format\": 1, \"squares\": 3, \"shard\": 8, \"latent\": [2, 1, 9000000000000]}",
        "{\"format\": 1, \"squares\": 3, \"shard\": 8, \"latent\": [2, \"1\", 3]}",
    ])
    func brokenLayoutsAreRefused(text: String) throws {
        let folder = try DataFolder()
        try folder.write(text, to: "manifest.json")
        #expect(message { _ = try LatentSet(folder: folder.path) }?.contains("expected numbers from 1") == true)
    }
}
