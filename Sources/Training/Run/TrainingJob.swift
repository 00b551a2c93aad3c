import ImageInput

/// What a run of training works on and where it leaves its results.
package struct TrainingJob: Sendable {
    /// Paths are in the text form of `Path`.
    /// The folder of the VAE, which stays as it is: `config.json`, `diffusion_pytorch_model.safetensors`.
    package var vae: String
    /// As `PictureList.read` takes it.
    package var images: String
    /// Receives `state/`, `log.jsonl`, `loss.svg`, `model/` and, unless `latents` says otherwise, `latents/`.
    package var out: String
    /// The latent cache's folder.
    package var latents: String
    /// Random crops in all; `nil`: each image once.
    package var crops: Int?
    /// The model's.
    package var name = "revq"
    /// Writes `torch/` as well, in the authors' layout.
    package var writesTorch = false
    /// Steps between two records of the log.
    package var logSteps = 10
    package var threads: Int?
    package var choice = SettingsChoice()

    /// Larger than a service's: these images are the user's own.
    package var limits = ImageLimits(
        fileBytes: 512 << 20, pixels: 250_000_000, scanPixels: 10_000_000_000, seconds: 120)

    package init(vae: String, images: String, out: String) {
        self.vae = vae
        self.images = images
        self.out = out
        latents = out + "/latents"
    }

    var stateFolder: String { out + "/state" }
    var modelFolder: String { out + "/model" }
}

/// What a run tells while it goes on.
package enum TrainingEvent: Sendable {
    /// Squares that are encoded, of all.
    case encoded(done: Int, total: Int)
    case skipped(SkippedPicture)
    /// What takes a while and shows no progress of its own.
    case phase(String)
    /// All is known; `step` is more than 0 where an earlier run goes on.
    case began(settings: TrainingSettings, training: Int, validation: Int, step: Int)
    /// `done` and `total` count images.
    case step(TrainingRecord, done: Int, total: Int)
    case epoch(TrainingRecord)
}

/// What a run gave.
package struct TrainingSummary: Sendable, Equatable {
    package var steps: Int
    package var epochs: Int
    /// Share of the codes that the training set uses with the final codebooks.
    package var usage: Double
    /// Over the training set; rectifier's are 0 where there is none.
    package var training: TrainingLosses
    /// `nil`: there is no validation set.
    package var validation: TrainingLosses?
    /// The folder that can be served.
    package var model: String
}
