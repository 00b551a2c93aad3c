import Checkpoint
import Foundation
import JSON
import Recipe
import Tensor
import Testing

@testable import Training

/// What an epoch trains on: no latent is left out, none comes twice, and what is left over counts like the rest.
@Suite(.serialized) struct EpochTests {
    /// `batches.json`, by Fixtures/make_batches.py.
    private static func fixture() throws -> [(latents: Int, batch: Int, sizes: [Int])] {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(path: "Fixtures/batches.json")
        let rows = try #require(JSONValue.parse(Array(Data(contentsOf: path))).arrayValue)
        return try rows.map { row in
            (
                try #require(row["latents"]?.intValue), try #require(row["batch"]?.intValue),
                try #require(row["sizes"]?.arrayValue).compactMap(\.intValue)
            )
        }
    }

    @Test func batchesHavePyTorchsSizes() throws {
        let rows = try Self.fixture()
        #expect(rows.count > 5)
        for (latents, batch, sizes) in rows {
            let plan = EpochPlan(count: latents, batch: batch, seed: 5)
            #expect(plan.batches(of: 0).map(\.count) == sizes, "\(latents) in batches of \(batch)")
            #expect(plan.steps == sizes.count, "\(latents) in batches of \(batch)")
            // Two epochs and a batch, step by step.
            var images = 0
            for (step, size) in (sizes + sizes + sizes.prefix(1)).enumerated() {
                #expect(plan.images(ofSteps: step) == images, "\(step) steps of \(latents) in batches of \(batch)")
                images += size
            }
        }
    }

    @Test(arguments: [(7, 3), (6, 3), (2, 3), (1, 1), (100, 16)])
    func everyLatentComesOnceInEachEpoch(count: Int, batch: Int) {
        let plan = EpochPlan(count: count, batch: batch, seed: 5)
        let orders = (0..<8).map { epoch in plan.batches(of: epoch).flatMap { $0 } }
        for order in orders { #expect(order.sorted() == Array(0..<count)) }
        #expect(orders[3] == plan.batches(of: 3).flatMap { $0 })
        guard count > 6 else { return }
        #expect(orders.allSatisfy { $0 != Array(0..<count) }, "in the order of the set")
        #expect(Set(orders).count == orders.count, "epochs in the same order")
        let other = EpochPlan(count: count, batch: batch, seed: 6)
        #expect(other.batches(of: 0).flatMap { $0 } != orders[0])
        // What is left over differs as well: over the epochs no latent is always in the smaller batch.
        #expect(Set(orders.compactMap(\.last)).count > 1)
    }

    /// Seven images in batches of three, two epochs.
    @Test func aRunTrainsOnWhatIsLeftOver() throws {
        let files = try RunTests.Files(pictures: 7)
        var job = files.job()
        job.crops = nil
        job.choice.settings.validation = 0
        job.choice.settings.epochs = 2
        job.choice.codes = 4
        job.choice.batch = 3
        job.choice.layers = 0
        var done: [Int] = []
        var totals: Set<Int> = []
        let summary = try TrainingRun(job) { event in
            guard case .step(_, let images, let total) = event else { return }
            done.append(images)
            totals.insert(total)
        }.run()
        #expect(done == [3, 6, 7, 10, 13, 14] && totals == [14])
        #expect(summary.steps == 6 && summary.epochs == 2)
    }

    /// Statistics are of the training latents alone, validation is of the others alone, and the rate falls from the
    /// first step on.
    @Test func aRunMeasuresOnWhatItDoesNotTrainOn() throws {
        let files = try RunTests.Files(pictures: 7)
        var job = files.job()
        job.crops = nil
        (job.choice.settings.validation, job.choice.settings.epochs, job.choice.settings.resetShare) = (0.3, 2, 0)
        (job.choice.codes, job.choice.batch, job.choice.layers) = (4, 3, 0)
        var rates: [Double] = []
        var measured: [Double?] = []
        let summary = try TrainingRun(job) { event in
            if case .step(let record, _, _) = event { rates.append(record.rate ?? .nan) }
            if case .epoch(let record) = event { measured.append(record.validationQuantized) }
        }.run()
        let latents = try LatentSet(folder: job.latents)
        let state = try #require(try TrainingState.latest(in: job.stateFolder))
        let set = try state.trainingSet(latents)
        #expect(set.training.count == 5 && (set.training + set.validation).sorted() == Array(0..<7))
        let (mean, deviation) = latents.statistics(over: set.training)
        #expect(set.mean == mean && set.deviation == deviation)
        let published = try CheckpointFile(path: summary.model + "/preprocessor.safetensors")
        #expect(try published.floats("mean") == mean && published.floats("std") == deviation)
        // With the codes of the end, that were not moved since.
        let settings = job.choice.settings
        #expect(measured.count == 2 && measured.last == summary.validation?.quantizer)
        #expect(summary.validation?.quantizer != summary.training.quantizer)
        let expected = (0..<4).map { settings.rate * pow(settings.rateFall, Double($0) / 4) }
        #expect(rates.count == 4 && zip(rates, expected).allSatisfy { abs($0 - $1) < 1e-12 }, "\(rates)")
    }

    /// Copies of an image have one latent, so that all codes of a book start as one and all but the first stay unused.
    @Test(arguments: [(0.5, [false, false]), (0.51, [true, false])])
    func codesMoveUntilTheGivenShareOfTheRun(until: Double, expected: [Bool]) throws {
        let files = try RunTests.Files(pictures: 1)
        let picture = try files.data.bytes("in/0.png")
        for number in 1..<6 { try files.data.write(picture, to: "in/\(number).png") }
        var job = files.job()
        job.crops = nil
        (job.choice.settings.validation, job.choice.settings.epochs, job.choice.settings.resetShare) = (0, 2, 0.5)
        (job.choice.codes, job.choice.batch, job.choice.layers) = (4, 3, 0)
        job.choice.settings.resetUntil = until
        var moved: [Int] = []
        _ = try TrainingRun(job) { event in
            if case .epoch(let record) = event { moved.append(record.moved ?? -1) }
        }.run()
        #expect(moved.map { $0 > 0 } == expected && moved.allSatisfy { $0 >= 0 }, "\(moved)")
    }

    private static func trainer(batch: Int) -> Trainer {
        var settings = TrainingSettings()
        (settings.tokens, settings.codes, settings.features, settings.layers) = (30, 16, 32, 1)
        (settings.batch, settings.clip) = (batch, 1e9)
        let trainer = Trainer(settings, channels: 4, height: 6, width: 5)
        let codes = given("curve.separate.codes", trainer.codebooks.codes.count, spread: 2)
        trainer.codebooks.load(codes, into: trainer.codebooks.codes.data)
        return trainer
    }

    private static func batch(_ step: Int, _ count: Int) -> [Int] { (0..<count).map { (step * 7 + $0 * 3) % 40 } }

    /// It teaches as much as where it fills the batch.
    @Test(arguments: [1, 7, 13]) func aSmallerBatchIsABatch(count: Int) {
        let data = GivenLatents(40, numbers: 120)
        let results = [16, count].map { size in
            let trainer = Self.trainer(batch: size)
            let losses = (0..<3).map { trainer.train(data, Self.batch($0, count), progress: 0) }
            return (losses, trainer.codebooks.values(), trainer.rectifier?.parameters.array)
        }
        #expect(results[0].0 == results[1].0)
        #expect(results[0].1 == results[1].1)
        #expect(results[0].2 == results[1].2)
    }

    /// Losses and gradients are means over what is in the batch: those of each latent alone, averaged. A step of Adam
    /// hardly shows a gradient's size; its first moment does.
    @Test(arguments: [2, 7, 13, 16]) func aBatchIsTheMeanOfItsLatents(count: Int) {
        let data = GivenLatents(40, numbers: 120)
        func step(_ batch: [Int]) -> (losses: TrainingLosses, moments: [Float]) {
            let trainer = Self.trainer(batch: 16)
            let losses = trainer.train(data, batch, progress: 0)
            return (losses, trainer.codeOptimizer.first.array + (trainer.rectifierOptimizer?.first.array ?? []))
        }
        let whole = step(Self.batch(0, count)), each = Self.batch(0, count).map { step([$0]) }
        let share = 1 / Double(count)
        let quantizer = each.reduce(0) { $0 + $1.losses.quantizer } * share
        let rectifier = each.reduce(0) { $0 + $1.losses.rectifier } * share
        #expect(abs(whole.losses.quantizer / quantizer - 1) < 1e-6)
        #expect(abs(whole.losses.rectifier / rectifier - 1) < 1e-6)
        let moments = whole.moments.indices.map { at in each.reduce(0) { $0 + Double($1.moments[at]) } * share }
        #expect(relativeError(whole.moments, moments.map { Float($0) }) < 1e-5)
        // And the loss of the codes is that of its definition.
        let codes = given("curve.separate.codes", 30 * 16 * 4, spread: 2)
        let expected = data.quantizerLoss(Self.batch(0, count), codes: codes, tokens: 30)
        #expect(abs(whole.losses.quantizer / expected - 1) < 1e-5)
    }
}

/// Latents of the recipe.
private final class GivenLatents: TrainingLatents {
    let numbers: Int
    private let values: [Float]

    init(_ count: Int, numbers: Int) {
        self.numbers = numbers
        values = given("curve.latents", count * numbers, spread: 2)
    }

    func gather(_ indices: [Int], into out: UnsafeMutablePointer<Float>) {
        for (row, index) in indices.enumerated() {
            for at in 0..<numbers { out[row * numbers + at] = values[index * numbers + at] }
        }
    }

    /// The mean over all numbers of the squared distance to the nearest code (tokens, codes, dimensions).
    func quantizerLoss(_ indices: [Int], codes: [Float], tokens: Int) -> Double {
        let d = numbers / tokens, count = codes.count / tokens / d
        var sum = 0.0
        for index in indices {
            for token in 0..<tokens {
                sum +=
                    (0..<count).map { code in
                        (0..<d).reduce(0.0) { total, at in
                            let difference =
                                Double(values[index * numbers + token * d + at])
                                - Double(codes[(token * count + code) * d + at])
                            return total + difference * difference
                        }
                    }.min() ?? 0
            }
        }
        return sum / Double(indices.count * numbers)
    }
}
