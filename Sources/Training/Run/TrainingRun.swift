import Checkpoint
import FilePaths
import Models

/// Training ReVQ from images to a model's folder (arXiv 2507.10547), and on from where an earlier run of the same job
/// stopped, to the same numbers. Belongs to the thread that made it.
package final class TrainingRun {
    private let job: TrainingJob
    private let tell: (TrainingEvent) -> Void
    /// What the latents were made from, as the state's file holds it.
    private let latentsMark: String
    /// The VAE's.
    private let files: [String]
    private let lock: FolderLock
    private let data: TrainingSet
    private let trainer: Trainer
    private var epoch: Int
    private let plan: EpochPlan
    /// Steps in all.
    private let total: Int

    /// Encodes what is missing of the latents, and sets up everything or restores it.
    ///
    /// - Throws: `TrainingError` and the errors of what it reads and writes, each one clear line.
    package init(_ job: TrainingJob, _ tell: @escaping (TrainingEvent) -> Void) throws {
        self.job = job
        self.tell = tell
        let pictures = try PictureList.read(Path(job.images)) { tell(.skipped($0)) }
        try WritableFolder.make(job.stateFolder)
        lock = try FolderLock(job.out)
        for folder in [job.stateFolder, job.modelFolder, job.modelFolder + "/vae", job.out + "/torch", job.latents] {
            AtomicFile.removePartials(in: folder)
        }
        files = try Self.encode(pictures, job, tell)
        let latents = try LatentSet(folder: job.latents)
        latentsMark = "\(try CacheManifest(folder: job.latents).mark), \(latents.count) latents"
        let found = try TrainingState.latest(in: job.stateFolder)
        if let found {
            guard found.latents == latentsMark else {
                throw TrainingError(
                    "\(found.path): this run trains on other latents than those in \(job.latents); expected the same "
                        + "--vae, --images, --crops and --seed, or another --out")
            }
            data = try found.trainingSet(latents)
        } else {
            data = try Self.trainingSet(latents, job)
        }
        let settings = try job.choice.sized(training: data.training.count, shape: latents.shape)
        trainer = Trainer(
            settings, channels: latents.shape[0], height: latents.shape[1], width: latents.shape[2])
        plan = EpochPlan(count: data.training.count, batch: settings.batch, seed: settings.seed)
        total = settings.steps ?? settings.epochs * plan.steps
        if let found {
            try Self.requireEqual(found, settings)
            guard found.step <= total else {
                throw TrainingError("\(found.path): step is \(found.step), expected at most \(total)")
            }
            try found.restore(trainer)
            epoch = found.epoch
        } else {
            trainer.codebooks.start(from: data, settings, tell)
            epoch = 0
            try writeState()
        }
    }

    /// Trains to the end and writes the model.
    package func run() throws -> TrainingSummary {
        let settings = trainer.settings
        var log = try TrainingLog(path: job.out + "/log.jsonl", keepingThrough: trainer.step > 0 ? trainer.step : -1)
        tell(
            .began(
                settings: settings, training: data.training.count, validation: data.validation.count,
                step: trainer.step))
        while trainer.step < total {
            try trainEpoch(&log)
            let record = endOfEpoch()
            try log.append(record)
            tell(.epoch(record))
            guard trainer.isFinite else { throw diverged("codes or rectifier hold numbers that are not finite") }
            try writeState()
        }
        try AtomicFile.write(
            Array(LossPlot.svg(log.records, title: "\(job.name): loss and use of codes").utf8),
            to: job.out + "/loss.svg")
        let summary = summary()
        try ModelExport(job: job, trainer: trainer, data: data, summary: summary, epoch: epoch, files: files).write()
        return summary
    }

    private func trainEpoch(_ log: inout TrainingLog) throws {
        var done = epoch * plan.count
        let clock = ContinuousClock()
        for numbers in plan.batches(of: epoch) where trainer.step < total {
            let batch = numbers.map { data.training[$0] }
            let start = clock.now
            let progress = Double(trainer.step) / Double(total)
            let losses = trainer.train(data, batch, progress: progress)
            done += batch.count
            var record = TrainingRecord(.step, step: trainer.step, epoch: epoch)
            record.loss = losses.total
            record.quantizerLoss = losses.quantizer
            record.rectifierLoss = losses.rectifier
            record.rate = trainer.rate(at: progress)
            record.imagesPerSecond = Double(batch.count) / ((clock.now - start) / .seconds(1))
            record.usage = trainer.codebooks.usage
            guard losses.total.isFinite else {
                throw diverged("the loss is \(losses.total), expected a finite number")
            }
            if trainer.step % job.logSteps == 0 || trainer.step == 1 { try log.append(record) }
            tell(.step(record, done: done, total: plan.images(ofSteps: total)))
        }
    }

    private func diverged(_ what: String) -> TrainingError {
        TrainingError(
            "step \(trainer.step): \(what); the state before this epoch stays in \(job.stateFolder): try a lower "
                + "--rate in another --out")
    }

    /// Moves codes that nothing chose, and measures on the validation set.
    private func endOfEpoch() -> TrainingRecord {
        let settings = trainer.settings
        var record = TrainingRecord(.epoch, step: trainer.step, epoch: epoch)
        record.usage = trainer.codebooks.usage
        let mayMove = Double(trainer.step) / Double(total) < settings.resetUntil
        record.moved = trainer.codebooks.reset(
            share: mayMove ? settings.resetShare : 0, noise: Float(settings.resetNoise), seed: settings.seed,
            epoch: epoch)
        if !data.validation.isEmpty {
            let losses = trainer.validate(data, data.validation)
            record.validationQuantized = losses.quantizer
            record.validationRectified = trainer.rectifier == nil ? nil : losses.rectifier
        }
        epoch += 1
        return record
    }

    private func summary() -> TrainingSummary {
        tell(.phase("measuring losses and the use of codes on the training set"))
        let (training, usage) = trainer.measure(data, data.training)
        return TrainingSummary(
            steps: trainer.step, epochs: epoch, usage: usage, training: training,
            validation: data.validation.isEmpty ? nil : trainer.validate(data, data.validation),
            model: job.modelFolder)
    }

    private func writeState() throws {
        try TrainingState.write(trainer, data, epoch: epoch, latents: latentsMark, in: job.stateFolder)
    }

    // MARK: - Setting up

    /// Returns the VAE's files.
    private static func encode(
        _ pictures: [Path], _ job: TrainingJob, _ tell: (TrainingEvent) -> Void
    ) throws -> [String] {
        let encoder = try LatentEncoder(folder: job.vae, threads: job.threads, checksDecoder: true)
        let plan = try CropPlan(
            pictures, crops: job.crops, seed: job.choice.settings.seed, preprocessing: encoder.preprocessing,
            limits: job.limits)
        // What can be told now isn't told after hours of encoding; at least one square is kept for validation.
        let kept = min(1, LatentSet.validationCount(of: plan.count, share: job.choice.settings.validation))
        _ = try job.choice.sized(
            training: plan.count - kept, shape: [encoder.channels, encoder.height, encoder.width])
        try LatentCache.build(
            in: job.latents, plan: plan, source: encoder, limits: job.limits,
            progress: { tell(.encoded(done: $0, total: $1)) },
            skipped: { tell(.skipped(SkippedPicture(path: $0, reason: $1))) })
        return encoder.files
    }

    private static func trainingSet(_ latents: LatentSet, _ job: TrainingJob) throws(TrainingError) -> TrainingSet {
        let settings = job.choice.settings
        let (training, validation) = latents.split(validation: settings.validation, seed: settings.seed)
        let (mean, deviation) = latents.statistics(over: training)
        return TrainingSet(latents, training: training, validation: validation, mean: mean, deviation: deviation)
    }

    private static func requireEqual(_ state: TrainingState, _ settings: TrainingSettings) throws(TrainingError) {
        guard let name = settings.difference(from: state.settings) else { return }
        throw TrainingError(
            "\(state.path): this run was begun with another \(name); expected the same settings, or another --out")
    }
}
