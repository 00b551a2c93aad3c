import Checkpoint
import FilePaths
import JSON

/// Everything that a run needs to go on as if it had never stopped, in `state/step-N.safetensors`:
///
/// | tensor | shape |
/// |---|---|
/// | `codes` | (books, K, d) |
/// | `rectifier.NAME` | PyTorch's |
/// | `first.…`, `second.…` | AdamW's moments of each of these, once there has been a step |
/// | `mean`, `std` | (C H W), of the training latents |
/// | `train`, `validation` | indices of latents in the cache |
///
/// The metadata holds `settings`, `latents` (what the cache was made from), `step` and `epoch`. Written whole or not at
/// all, at the end of an epoch, when no code's use is being counted.
struct TrainingState {
    let path: String
    let step: Int
    /// Epochs done.
    let epoch: Int
    let settings: String
    let latents: String
    private let file: CheckpointFile

    private static let prefix = "step-"
    private static let ending = ".safetensors"
    /// A state before the last is a way back where the last turns out bad.
    private static let kept = 2

    /// The state with the most steps; `nil` where there is none.
    static func latest(in folder: String) throws(TrainingError) -> TrainingState? {
        guard let step = steps(in: folder).last else { return nil }
        return try TrainingState(path: path(of: step, in: folder))
    }

    private static func path(of step: Int, in folder: String) -> String { "\(folder)/\(prefix)\(step)\(ending)" }

    /// Ascending.
    private static func steps(in folder: String) -> [Int] {
        let names = (try? Path(folder).entries()) ?? []
        return names.map(\.description).compactMap { name in
            guard name.hasPrefix(prefix), name.hasSuffix(ending) else { return nil }
            return Int(name.dropFirst(prefix.count).dropLast(ending.count))
        }.sorted()
    }

    private init(path: String) throws(TrainingError) {
        self.path = path
        do {
            file = try CheckpointFile(path: path)
        } catch {
            throw Self.damaged("\(error)")
        }
        let data = file.metadata
        guard let step = data["step"].flatMap({ Int($0) }), let epoch = data["epoch"].flatMap({ Int($0) }),
            let settings = data["settings"], let latents = data["latents"],
            path.hasSuffix("/\(Self.prefix)\(step)\(Self.ending)"), (0...step).contains(epoch)
        else {
            throw Self.damaged("\(path): expected metadata step, epoch, settings and latents of this training run")
        }
        (self.step, self.epoch, self.settings, self.latents) = (step, epoch, settings, latents)
    }

    private static func damaged(_ what: String) -> TrainingError {
        TrainingError("\(what); remove this file to go on from the state before it")
    }

    // MARK: - Reading

    /// The set that the run trained on.
    func trainingSet(_ latents: LatentSet) throws(TrainingError) -> TrainingSet {
        let mean = try floats("mean", count: latents.numbers), deviation = try floats("std", count: latents.numbers)
        let training = try indices("train", below: latents.count)
        guard !training.isEmpty else { throw Self.damaged("\(path): train: expected at least one index, found none") }
        return TrainingSet(
            latents, training: training, validation: try indices("validation", below: latents.count), mean: mean,
            deviation: deviation)
    }

    /// Puts numbers and counters back.
    func restore(_ trainer: Trainer) throws(TrainingError) {
        let books = trainer.codebooks
        books.load(try floats("codes", count: books.codes.count), into: books.codes.data)
        for moment in Self.moments(after: step) {
            let values = try floats(moment.name + "codes", count: books.codes.count)
            books.load(values, into: moment.of(trainer.codeOptimizer))
        }
        if let rectifier = trainer.rectifier, let optimizer = trainer.rectifierOptimizer {
            try restore("rectifier.", rectifier, to: nil)
            for moment in Self.moments(after: step) {
                try restore(moment.name + "rectifier.", rectifier, to: moment.of(optimizer))
            }
        }
        guard trainer.isFinite else { throw Self.damaged("\(path): expected finite codes and parameters") }
        trainer.step = step
    }

    private func restore(
        _ prefix: String, _ rectifier: Rectifier, to flat: UnsafeMutablePointer<Float>?
    ) throws(TrainingError) {
        try rectifier.load(into: flat) { (name, shape) throws(TrainingError) in
            try floats(prefix + name, count: shape.reduce(1, *))
        }
    }

    /// Prefixes of AdamW's moments and where they are; none before the first step.
    private static func moments(
        after step: Int
    ) -> [(name: String, of: (AdamW) -> UnsafeMutablePointer<Float>)] {
        step > 0 ? [("first.", { $0.first.data }), ("second.", { $0.second.data })] : []
    }

    private func floats(_ name: String, count: Int) throws(TrainingError) -> [Float] {
        do {
            let found = try file.floats(name)
            if found.count == count { return found }
            throw CheckpointError.wrongShape(
                path: path, tensor: name, found: file.tensors[name]?.shape ?? [], expected: [count])
        } catch {
            throw Self.damaged("\(error)")
        }
    }

    private func indices(_ name: String, below bound: Int) throws(TrainingError) -> [Int] {
        guard let info = file.tensors[name], info.type == .int32, let bytes = try? file.lent(name) else {
            throw Self.damaged("\(path): \(name): expected int32 indices of latents")
        }
        let found = bytes.bindMemory(to: Int32.self).map { Int($0) }
        guard found.allSatisfy((0..<bound).contains) else {
            throw Self.damaged("\(path): \(name): expected indices below \(bound), the cache's latents")
        }
        return found
    }

    // MARK: - Writing

    /// Writes the state and removes those before the last.
    static func write(
        _ trainer: Trainer, _ data: TrainingSet, epoch: Int, latents: String, in folder: String
    ) throws(FileWriteError) {
        let books = trainer.codebooks
        let shape = [books.books, books.count, books.dimensions]
        var tensors = [
            NewTensor(name: "codes", shape: shape, books.values()),
            NewTensor(name: "mean", shape: [data.mean.count], data.mean),
            NewTensor(name: "std", shape: [data.deviation.count], data.deviation),
            NewTensor(name: "train", shape: [data.training.count], values: .int32(data.training.map { Int32($0) })),
            NewTensor(
                name: "validation", shape: [data.validation.count], values: .int32(data.validation.map { Int32($0) })),
        ]
        let moments = moments(after: trainer.step)
        for moment in moments {
            let values = books.values(of: moment.of(trainer.codeOptimizer))
            tensors.append(NewTensor(name: moment.name + "codes", shape: shape, values))
        }
        if let rectifier = trainer.rectifier, let optimizer = trainer.rectifierOptimizer {
            for tensor in rectifier.tensors() {
                tensors.append(NewTensor(name: "rectifier." + tensor.name, shape: tensor.shape, tensor.values))
            }
            for moment in moments {
                for tensor in rectifier.tensors(of: moment.of(optimizer)) {
                    let name = moment.name + "rectifier." + tensor.name
                    tensors.append(NewTensor(name: name, shape: tensor.shape, tensor.values))
                }
            }
        }
        let metadata = [
            "settings": trainer.settings.json.description, "latents": latents, "step": String(trainer.step),
            "epoch": String(epoch),
        ]
        try SafetensorsWriter.write(tensors, metadata: metadata, to: path(of: trainer.step, in: folder))
        for step in steps(in: folder).dropLast(kept) {
            Path(path(of: step, in: folder)).unlink()
        }
    }
}
