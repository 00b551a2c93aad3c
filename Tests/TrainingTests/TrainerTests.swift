import Recipe
import Tensor
import Testing

@testable import Training

/// 40 latents of (4, 6, 5), the fixture's.
private final class RecipeLatents: TrainingLatents {
    let numbers = 120
    private let values = given("curve.latents", 40 * 120, spread: 2)

    func gather(_ indices: [Int], into out: UnsafeMutablePointer<Float>) {
        for (row, index) in indices.enumerated() {
            for at in 0..<numbers { out[row * numbers + at] = values[index * numbers + at] }
        }
    }
}

@Suite(.serialized)
struct TrainerTests {
    private func settings(shared: Bool = false, clip: Double = 1) -> TrainingSettings {
        var settings = TrainingSettings()
        (settings.tokens, settings.codes, settings.isShared) = (30, 16, shared)
        (settings.features, settings.layers) = (32, 1)
        (settings.batch, settings.clip) = (16, clip)
        return settings
    }

    private func trainer(_ settings: TrainingSettings) -> Trainer {
        let trainer = Trainer(settings, channels: 4, height: 6, width: 5)
        let name = settings.isShared ? "curve.shared.codes" : "curve.separate.codes"
        trainer.codebooks.load(
            given(name, trainer.codebooks.codes.count, spread: 2), into: trainer.codebooks.codes.data)
        if settings.rectifierStart == .random { trainer.rectifier?.load { name, shape in tensor(name, shape: shape) } }
        return trainer
    }

    private func batch(_ step: Int, _ count: Int = 16) -> [Int] { (0..<count).map { (step * 7 + $0 * 3) % 40 } }

    /// Both losses of thirty steps, of which in `shared` both gradients are clipped.
    @Test(arguments: [(name: "separate", clip: 1.0), (name: "shared", clip: 0.05)])
    func curveEqualsPyTorchs(name: String, clip: Double) throws {
        let expected = try GradientFixture()("curve.\(name).losses")
        let data = RecipeLatents()
        atEveryLevel {
            let trainer = trainer(settings(shared: name == "shared", clip: clip))
            for step in 0..<30 {
                let losses = trainer.train(data, batch(step), progress: Double(step) / 30)
                let errors = [
                    losses.quantizer / Double(expected[2 * step]) - 1,
                    losses.rectifier / Double(expected[2 * step + 1]) - 1,
                ]
                #expect(errors.allSatisfy { abs($0) < 1e-3 }, "step \(step): \(errors)")
            }
            #expect(trainer.step == 30)
        }
    }

    /// A batch that its parts don't divide evenly, and one smaller than their number.
    @Test func anyNumberOfThreadsGivesTheSame() {
        let runs = [1, 2, 3].map { threads in
            withThreads(threads) {
                let trainer = trainer(settings()), data = RecipeLatents()
                let losses = [13, 3, 16, 1].enumerated().map { step, count in
                    trainer.train(data, batch(step, count), progress: 0)
                }
                return (
                    losses + [trainer.validate(data, Array(0..<40))], trainer.codebooks.values(),
                    trainer.rectifier?.parameters.array
                )
            }
        }
        for (losses, codes, parameters) in runs.dropFirst() {
            #expect(losses == runs[0].0)
            #expect(codes == runs[0].1)
            #expect(parameters == runs[0].2)
        }
    }

    /// Made with one thread, trained with more.
    @Test func threadsMayBeAdded() {
        let data = RecipeLatents()
        let one = withThreads(1) { trainer(settings()) }, other = trainer(settings())
        let losses = withThreads(3) { one.train(data, batch(0), progress: 0) }
        #expect(losses == other.train(data, batch(0), progress: 0))
    }

    @Test func validationIsTheMeanOverAllAndTeachesNothing() {
        let trainer = trainer(settings()), data = RecipeLatents()
        let codes = trainer.codebooks.values(), before = trainer.rectifier?.parameters.array
        let all = trainer.validate(data, Array(0..<40))
        let parts = (0..<40).map { trainer.validate(data, [$0]) }
        #expect(abs(all.quantizer - parts.map(\.quantizer).reduce(0, +) / 40) < 1e-6)
        #expect(abs(all.rectifier - parts.map(\.rectifier).reduce(0, +) / 40) < 1e-6)
        #expect(trainer.codebooks.values() == codes && trainer.rectifier?.parameters.array == before)
        #expect(trainer.codebooks.uses.allSatisfy { $0 == 0 } && trainer.step == 0)
    }

    /// Of all codes of all books, those that are some vector's nearest.
    @Test(arguments: [false, true]) func usageIsTheShareOfCodesThatAreChosen(shared: Bool) {
        let trainer = trainer(settings(shared: shared)), data = RecipeLatents()
        let books = trainer.codebooks.books
        for indices in [[3], Array(0..<17), Array(0..<40)] {
            var chosen: Set<[Int]> = []
            let latents = FloatBuffer(count: 120), quantized = FloatBuffer(count: 120)
            for index in indices {
                data.gather([index], into: latents.data)
                let ids = trainer.codebooks.assign(latents.data, rows: 30, quantized: quantized.data)
                for (row, id) in ids.enumerated() { chosen.insert([row % books, Int(id)]) }
            }
            #expect(trainer.measure(data, indices).usage == Double(chosen.count) / Double(books * 16))
        }
    }

    /// From the identity the rectifier's loss is the codes' at first; it falls below, and every tensor comes to learn.
    @Test func identityLearns() throws {
        var settings = settings()
        settings.rectifierStart = .identity
        let trainer = trainer(settings), data = RecipeLatents()
        let start = trainer.validate(data, Array(0..<40))
        #expect(abs(start.rectifier / start.quantizer - 1) < 0.01)
        for step in 0..<60 { _ = trainer.train(data, batch(step), progress: 0) }
        let end = trainer.validate(data, Array(0..<40))
        #expect(end.quantizer < start.quantizer && end.rectifier < 0.97 * end.quantizer)
        let rectifier = try #require(trainer.rectifier)
        let space = rectifier.workspace(given("small.codes", 120), target: given("small.target", 120))
        for (name, _, values) in rectifier.tensors(of: rectifier.gradient(space)) {
            #expect(norm(values.map(Double.init)) > 0, "\(name)")
        }
    }

    @Test func withoutLayersThereIsNoRectifier() {
        var settings = settings()
        settings.layers = 0
        let bare = trainer(settings), whole = trainer(self.settings()), data = RecipeLatents()
        for step in 0..<3 {
            let (one, other) = (bare.train(data, batch(step), progress: 0), whole.train(data, batch(step), progress: 0))
            #expect(one.rectifier == 0 && one.quantizer == other.quantizer && one.total == one.quantizer)
        }
        #expect(bare.rectifier == nil && bare.codebooks.values() == whole.codebooks.values())
    }

    @Test func rateFallsExponentially() {
        let trainer = trainer(settings())
        for (progress, rate) in [(-1.0, 0.01), (0, 0.01), (0.5, 0.01 * 0.05.squareRoot()), (1, 0.0005), (2, 0.0005)] {
            #expect(abs(trainer.rate(at: progress) - rate) < 1e-12)
        }
    }
}
