import Checkpoint
import Foundation
import ImageInput
import JSON
import Models
import Recipe
import Testing
import TokenizerCore

@testable import Training

/// Whole runs with the tiny DC-AE, whose latents have 32 x 8 x 8 numbers.
@Suite(.serialized) struct RunTests {
    /// A VAE and a folder of images, removed with their owner.
    final class Files {
        let model: TemporaryModel
        let data: DataFolder

        init(pictures: Int = 6) throws {
            model = try TemporaryModel.revq(.tiny, latentDeviation: 1)
            data = try DataFolder()
            for number in 0..<pictures { try data.picture("in/\(number).png", width: 300 + number, height: 280) }
        }

        func job(_ out: String = "out") -> TrainingJob {
            var job = TrainingJob(vae: model.path + "/vae", images: data.path + "/in", out: "\(data.path)/\(out)")
            job.latents = data.path + "/latents"
            job.crops = 24
            job.logSteps = 1
            job.choice.settings.tokens = 64
            job.choice.settings.epochs = 4
            job.choice.settings.validation = 0.2
            job.choice.codes = 8
            job.choice.batch = 6
            job.choice.features = 32
            job.choice.layers = 1
            return job
        }

        func path(_ name: String) -> String { "\(data.path)/\(name)" }
    }

    static func run(_ job: TrainingJob) throws -> TrainingSummary { try TrainingRun(job) { _ in }.run() }

    @Test func picturesBecomeAModelThatIsServed() throws {
        let files = try Files()
        var job = files.job()
        job.name = "mine"
        job.choice.settings.epochs = 6
        var events: [TrainingEvent] = []
        let summary = try TrainingRun(job) { events.append($0) }.run()
        let began = events.compactMap { event -> [Int]? in
            if case .began(_, let training, let validation, let step) = event {
                [training, validation, step]
            } else {
                nil
            }
        }
        #expect(began.count == 1 && began.allSatisfy { $0[0] + $0[1] == 24 && $0[1] > 0 && $0[2] == 0 })

        let records = try TrainingLog(path: job.out + "/log.jsonl", keepingThrough: .max).records
        let epochs = records.filter { $0.kind == .epoch }, steps = records.filter { $0.kind == .step }
        #expect(epochs.map(\.epoch) == Array(0..<6) && steps.map(\.step) == Array(1...summary.steps))
        #expect(try #require(steps.last?.loss) < 0.9 * #require(steps.first?.loss))
        #expect(epochs.last?.validationRectified == summary.validation?.rectifier)
        #expect(try files.data.names(in: "out/state").count == 2)
        #expect(String(decoding: try files.data.bytes("out/loss.svg"), as: UTF8.self).hasPrefix("<svg"))

        let loaded = try ModelLoader.load(ModelSource(id: "mine", folder: summary.model), threads: 1)
        #expect(loaded.description.warnings.isEmpty)
        #expect(loaded.tokenizer.contract.tokensPerImage == 64 && loaded.tokenizer.contract.codebookSize == 8)
        let model = try #require(loaded.tokenizer as? ReVQModel)
        _ = model
        let report = try JSONValue.parse(files.data.bytes("out/model/training.json"))
        #expect(report["usage"]?.doubleValue == summary.usage && summary.usage > 0)
        #expect(report["settings"]?["codes"]?.intValue == 8)
    }

    /// The last state is taken away, as if the process had been killed during the last epoch.
    @Test(arguments: [nil, 7] as [Int?])
    func aRunThatGoesOnGivesTheSameNumbers(steps: Int?) throws {
        let files = try Files()
        var job = files.job()
        job.choice.settings.steps = steps
        job.choice.settings.resetShare = 0.5
        _ = try Self.run(job)
        let unbroken = try files.data.bytes("out/model/model.safetensors")
        let states = try files.data.names(in: "out/state").map { Int($0.dropFirst(5).dropLast(12)) ?? -1 }
        let last = try #require(states.max())
        let state = try files.data.bytes("out/state/step-\(last).safetensors")
        try FileManager.default.removeItem(atPath: files.path("out/state/step-\(last).safetensors"))
        try FileManager.default.removeItem(atPath: files.path("out/model"))
        var went = 0
        do {
            let run = try TrainingRun(job) { event in
                if case .began(_, _, _, let step) = event { went = step }
            }
            _ = try run.run()
            let second = message { _ = try Self.run(job) }
            #expect(
                second == "\(job.out): another run is at work in this folder; expected one of its own")
            withExtendedLifetime(run) {}
        }
        #expect(went == states.min() && went > 0)
        #expect(try files.data.bytes("out/model/model.safetensors") == unbroken)
        #expect(try files.data.bytes("out/state/step-\(last).safetensors") == state)
        // A run that is done only writes its results again.
        _ = try Self.run(job)
        #expect(try files.data.bytes("out/model/model.safetensors") == unbroken)
        let records = try TrainingLog(path: job.out + "/log.jsonl", keepingThrough: .max).records
        #expect(records.filter { $0.kind == .step }.map(\.step) == Array(1...last))
    }

    @Test func theAuthorsLayoutHoldsTheSameModel() throws {
        let files = try Files()
        var job = files.job()
        job.writesTorch = true
        job.choice.settings.epochs = 1
        _ = try Self.run(job)
        let torch = try CheckpointFile(path: files.path("out/torch/ckpt.pth"))
        let served = try CheckpointFile(path: files.path("out/model/model.safetensors"))
        for name in served.names { #expect(try torch.floats(name) == served.floats(name), "\(name)") }
        #expect(Set(torch.names).subtracting(served.names) == ["quantizer.index_offset", "quantizer.count"])
        #expect(torch.tensors["quantizer.embeddings"]?.shape == [64, 8, 32])
        #expect(torch.tensors["quantizer.index_offset"]?.type == .int64)
        let preprocessor = try CheckpointFile(path: files.path("out/torch/preprocessor.pth"))
        #expect(preprocessor.tensors["mean"]?.shape == [2048] && preprocessor.tensors["std"]?.shape == [2048])
    }

    /// The model's folder holds a copy of the VAE, whose weights may be private.
    @Test(arguments: [0o600, 0o644] as [mode_t]) func theVAEsCopyIsAsPrivate(mode: mode_t) throws {
        let files = try Files()
        let name = "vae/diffusion_pytorch_model.safetensors"
        #expect(chmod("\(files.model.path)/\(name)", mode) == 0)
        var job = files.job()
        job.choice.settings.steps = 0
        let summary = try Self.run(job)
        var status = stat()
        #expect(stat("\(summary.model)/\(name)", &status) == 0 && status.st_mode & 0o7777 == mode)
    }

    @Test func oneCodebookAndNoRectifier() throws {
        let files = try Files()
        var job = files.job()
        job.choice.settings.isShared = true
        job.choice.codes = 100
        job.choice.layers = 0
        let summary = try Self.run(job)
        #expect(summary.training.rectifier == 0)
        let loaded = try ModelLoader.load(ModelSource(id: "m", folder: summary.model), threads: 1)
        #expect(loaded.description.warnings.isEmpty && !loaded.tokenizer.contract.perPositionCodebooks)
    }

    @Test func clustersStartCloserThanLatents() throws {
        let files = try Files()
        var losses: [Double] = []
        for start in TrainingSettings.CodeStart.allCases {
            var job = files.job("out-\(start)")
            job.choice.settings.steps = 0
            job.choice.settings.codeStart = start
            losses.append(try Self.run(job).training.quantizer)
        }
        #expect(losses.count == 2 && losses[1] < losses[0])
    }

    @Test func anotherRunIsNotContinued() throws {
        let files = try Files()
        var job = files.job()
        job.choice.settings.epochs = 1
        _ = try Self.run(job)
        var other = job
        other.choice.settings.rate = 0.02
        let rate = message { _ = try Self.run(other) }
        #expect(
            rate?.hasSuffix(
                "this run was begun with another --rate (0.01 there, 0.02 here); expected the same settings, or "
                    + "another --out") == true, "\(rate ?? "")")
        other = job
        other.crops = 30
        let cache = message { _ = try Self.run(other) }
        #expect(cache?.contains("crops is 24, expected 30") == true, "\(cache ?? "")")
        other.latents = files.path("other")
        let latents = message { _ = try Self.run(other) }
        #expect(latents?.contains("this run trains on other latents than those in") == true, "\(latents ?? "")")
        try files.data.write("not a state", to: "out/state/step-900.safetensors")
        let state = message { _ = try Self.run(job) }
        #expect(state?.contains("step-900.safetensors") == true, "\(state ?? "")")
        #expect(state?.hasSuffix("remove this file to go on from the state before it") == true, "\(state ?? "")")
    }

    @Test func aSetTooSmallForTheCodebookIsRefusedBeforeItIsEncoded() throws {
        let files = try Files()
        var job = files.job()
        job.choice.codes = 64
        #expect(
            message { _ = try Self.run(job) }
                == "23 squares to train on, those for validation left out, give 23 vectors for each position's "
                + "codebook, expected at least one for each of 64 codes: give more pictures or --crops, or at most "
                + "--codes 23")
        #expect(!FileManager.default.fileExists(atPath: job.latents))
        // Enough for the plan, but not without those that were then kept for validation.
        job.choice.codes = 23
        let split = message { _ = try Self.run(job) }
        #expect(split?.hasPrefix("20 squares to train on, ") == true, "\(split ?? "")")
        #expect(split?.contains("expected at least one for each of 23 codes") == true, "\(split ?? "")")
    }
}

/// Settings by the size of a set.
struct SettingsChoiceTests {
    static let latent = [8, 16, 16]

    @Test(arguments: [
        (1_281_167, false, 16384, 256, 512, 3), (60_000, false, 4096, 256, 128, 2), (2000, false, 128, 64, 128, 2),
        (2000, true, 16384, 64, 128, 2), (40, false, 4, 2, 128, 2), (3, false, 2, 1, 128, 2),
    ])
    func sized(training: Int, isShared: Bool, codes: Int, batch: Int, features: Int, layers: Int) throws {
        var choice = SettingsChoice()
        choice.settings.isShared = isShared
        let found = try choice.sized(training: training, shape: Self.latent)
        let sizes: [Int] = [found.codes, found.batch, found.features, found.layers]
        let expected: [Int] = [codes, batch, features, layers]
        #expect(sizes == expected)
    }

    struct Refusal: Sendable {
        let change: @Sendable (inout SettingsChoice) -> Void
        let message: String
    }

    static let refusals = [
        Refusal(
            change: { $0.settings.tokens = 500 },
            message: "--tokens is 500, expected a divisor of the latent's 2048 numbers [8, 16, 16]"),
        Refusal(
            change: { $0.features = 48 },
            message:
                "--features is 48, expected a multiple of 32 (an attention head) and of the latent's 8 channels, at "
                + "most 4096"),
        Refusal(change: { $0.settings.rate = .nan }, message: "--rate is nan, expected 1e-09 to 10.0"),
        Refusal(change: { $0.settings.rate = 0 }, message: "--rate is 0.0, expected 1e-09 to 10.0"),
        Refusal(change: { $0.settings.epochs = 0 }, message: "--epochs is 0, expected 1 to 1000000"),
        Refusal(change: { $0.batch = 0 }, message: "--batch is 0, expected 1 to 65536"),
        Refusal(change: { $0.codes = 1 }, message: "--codes is 1, expected 2 to 16777216"),
        Refusal(change: { $0.settings.validation = 1 }, message: "--validation is 1.0, expected 0.0 to 0.9"),
    ]

    @Test(arguments: refusals) func refused(_ refusal: Refusal) {
        var choice = SettingsChoice()
        refusal.change(&choice)
        let error = #expect(throws: TrainingError.self) { try choice.sized(training: 100_000, shape: Self.latent) }
        #expect(error?.description == refusal.message)
    }

    @Test func identityNeedsRoom() {
        var choice = SettingsChoice()
        choice.features = 64
        choice.settings.rectifierStart = .identity
        let error = #expect(throws: TrainingError.self) { try choice.sized(training: 100_000, shape: [32, 8, 8]) }
        #expect(error?.description.hasPrefix("--rectifier-start identity: expected --features of at least 4") == true)
    }
}
