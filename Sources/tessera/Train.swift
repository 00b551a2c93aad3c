import ArgumentParser
import Foundation
import Models
import Training

/// `tessera train`: a model of the user's own.
struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Trains a model.", subcommands: [TrainReVQ.self])
}

/// `tessera train revq`: codebooks and a rectifier on a frozen VAE.
struct TrainReVQ: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revq",
        abstract: "Trains ReVQ's codebooks and rectifier on a frozen VAE (arXiv 2507.10547).",
        discussion: """
            Encodes the pictures once (OUT/latents), trains, and writes a folder that can be served (OUT/model), a log
            (OUT/log.jsonl) and a plot (OUT/loss.svg). A run that was stopped at any moment goes on from the end of its
            last epoch (OUT/state) when the same command is given again, to the same numbers as an unbroken run.

            Defaults are the published ones, but for what is sized to a small set: codes, batch and rectifier.

            Examples:
              tessera train revq --vae models/dc-ae --images photos --out my-revq
              tessera train revq --vae models/dc-ae --images photos --crops 20000 --epochs 20 --out my-revq
              tessera serve --model my-revq/model
            """)

    @Option(help: "The VAE's folder: config.json and diffusion_pytorch_model.safetensors.")
    var vae: String

    @Option(help: "A folder of PNG and JPEG pictures, or a text file with a path a line.")
    var images: String

    @Option(help: "The folder for everything that is written.")
    var out: String

    @Option(help: "The latents' folder (default: OUT/latents).")
    var latents: String?

    @Option(
        parsing: .unconditional,
        help: "Random crops over several scales, half of them mirrored (default: each picture once, whole).")
    var crops: Int?

    @Option(help: "The model's name.")
    var name = "revq"

    @Option(help: "tessera, or torch for the authors' layout as well (OUT/torch).")
    var format: Format = .tessera

    @OptionGroup var threads: ThreadOptions

    @Option(name: .customLong("log-steps"), parsing: .unconditional, help: "Steps between two lines of the log.")
    var logSteps = 10

    @OptionGroup(title: "Size") var size: SizeArguments
    @OptionGroup(title: "Training") var training: TrainingArguments

    enum Format: String, CaseIterable, ExpressibleByArgument {
        case tessera, torch
    }

    func validate() throws {
        if let crops, !(1...100_000_000).contains(crops) {
            throw ValidationError("--crops is \(crops), expected 1 to 100000000")
        }
        guard logSteps >= 1 else { throw ValidationError("--log-steps is \(logSteps), expected at least 1") }
        guard name.utf8.allSatisfy(ModelSource.isNameByte), let first = name.first, first.isLetter || first.isNumber,
            name.utf8.count <= 100
        else {
            throw ValidationError(
                "--name is '\(name)', expected letters, digits, '-', '_' and '.', the first a letter or digit")
        }
        for (option, path) in [("--vae", vae), ("--images", images), ("--out", out), ("--latents", latents ?? out)]
        where path.isEmpty {
            throw ValidationError("\(option) is empty, expected a path")
        }
    }

    func run() throws {
        // A file that outgrows the user's limit is an error to tell, as a full disk is.
        signal(SIGXFSZ, SIG_IGN)
        // A reader of the progress that closes its pipe must not end hours of work.
        signal(SIGPIPE, SIG_IGN)
        threads.warn()
        let reporter = TrainingReporter()
        let summary = try TrainingRun(job, reporter.tell).run()
        reporter.finish(summary)
    }

    private var job: TrainingJob {
        var job = TrainingJob(vae: vae, images: images, out: out)
        if let latents { job.latents = latents }
        job.crops = crops
        job.name = name
        job.writesTorch = format == .torch
        job.logSteps = logSteps
        job.threads = threads.count
        job.choice = size.choice(training.settings)
        job.choice.batch = training.batch
        return job
    }
}

/// The model's size.
struct SizeArguments: ParsableArguments {
    @Option(parsing: .unconditional, help: "Tokens of an image: a divisor of the latent's numbers.")
    var tokens = TrainingSettings().tokens

    @Option(parsing: .unconditional, help: "Codes of each codebook (default: 16384, fewer for a small set).")
    var codes: Int?

    @Flag(name: .customLong("shared-codebook"), help: "One codebook for all positions in place of one for each.")
    var isShared = false

    @Option(
        parsing: .unconditional, help: "Channels of the rectifier (default: 512; 128 for fewer than 65536 squares).")
    var features: Int?

    @Option(
        parsing: .unconditional,
        help: "Blocks of the rectifier, 0 for none (default: 3; 2 for fewer than 65536 squares).")
    var layers: Int?

    func choice(_ settings: TrainingSettings) -> SettingsChoice {
        var choice = SettingsChoice()
        choice.settings = settings
        choice.settings.tokens = tokens
        choice.settings.isShared = isShared
        choice.codes = codes
        choice.features = features
        choice.layers = layers
        return choice
    }
}
