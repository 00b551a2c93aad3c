import Foundation
import JSON
import Testing

@testable import Training

/// A whole run on 2,000 crops with revq-mini's VAE beside the same run in PyTorch, whose losses
/// `training/revq_reference.py` wrote (Fixtures/README.md).
struct PyTorchRunTests {
    static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    static let vae = tests.appending(path: "../../Sources/tessera/Resources/revq-mini/vae").standardized.path

    @Test func lossesArePyTorchs() throws {
        let fixtures = Self.tests.appending(path: "Fixtures")
        let expected = try JSONValue.parse(
            Array(Data(contentsOf: fixtures.appending(path: "revq-2000-crops.json"))))
        let steps = try #require(expected["steps"]?.arrayValue),
            epochs = try #require(expected["validation"]?.arrayValue)
        let out = try DataFolder()
        var job = TrainingJob(vae: Self.vae, images: fixtures.appending(path: "photographs").path, out: out.path)
        job.crops = 2000
        job.logSteps = 1
        job.choice.settings.seed = 7
        job.choice.settings.steps = steps.count
        (job.choice.codes, job.choice.batch, job.choice.features, job.choice.layers) = (512, 64, 64, 1)
        let summary = try TrainingRun(job) { _ in }.run()
        #expect(summary.steps == 50)

        let records = try TrainingLog(path: out.path + "/log.jsonl", keepingThrough: .max).records
        let ours = records.filter { $0.kind == .step }, ends = records.filter { $0.kind == .epoch }
        try #require(ours.count == steps.count && ends.count == epochs.count && epochs.count == 2)
        for (step, wanted) in zip(ours, steps) {
            #expect(Self.isClose(step.quantizerLoss, wanted["quantizer_loss"]), "step \(step.step)")
            #expect(Self.isClose(step.rectifierLoss, wanted["rectifier_loss"]), "step \(step.step)")
        }
        for (end, wanted) in zip(ends, epochs) {
            #expect(Self.isClose(end.validationQuantized, wanted["quantizer_loss"]), "epoch \(end.epoch)")
            #expect(Self.isClose(end.validationRectified, wanted["rectifier_loss"]), "epoch \(end.epoch)")
        }
    }

    /// Within 2 %: measured 1e-6, but other processors' latents differ in the last digits, and then some nearest codes.
    private static func isClose(_ found: Double?, _ wanted: JSONValue?) -> Bool {
        guard let found, let wanted = wanted?.doubleValue else { return false }
        return abs(found - wanted) < 0.02 * wanted
    }
}
