import Checkpoint
import FilePaths
import Glibc
import JSON

/// What a run ends with: a folder that `tessera serve` loads and, where asked for, the authors' own layout.
struct ModelExport {
    let job: TrainingJob
    let trainer: Trainer
    let data: TrainingSet
    let summary: TrainingSummary
    let epoch: Int
    /// The VAE's.
    let files: [String]

    func write() throws {
        try WritableFolder.make(job.modelFolder + "/vae")
        for file in files { try copy(file, to: job.modelFolder + "/vae") }
        try SafetensorsWriter.write(
            codes("quantizer.") + rectifier("decoder."), to: job.modelFolder + "/model.safetensors")
        try SafetensorsWriter.write(statistics, to: job.modelFolder + "/preprocessor.safetensors")
        try writeConfiguration(in: job.modelFolder)
        try AtomicFile.write(report.write() + [UInt8(ascii: "\n")], to: job.modelFolder + "/training.json")
        if job.writesTorch { try writeTorch(job.out + "/torch") }
    }

    /// `ckpt.pth`, `preprocessor.pth` and the YAML, as `torch.load` and the authors' code read them.
    private func writeTorch(_ folder: String) throws {
        try WritableFolder.make(folder)
        let books = trainer.codebooks
        let offsets = (0..<books.books).map { Int64($0 * books.count) }
        let quantizer =
            codes("") + [
                NewTensor(name: "index_offset", shape: [books.books], values: .int64(offsets)),
                NewTensor(
                    name: "count", shape: [books.books, books.count],
                    [Float](repeating: 0, count: books.books * books.count)),
            ]
        try TorchWriter.write(
            .dictionary([
                ("quantizer", .stateDict(quantizer)), ("decoder", .stateDict(rectifier(""))),
                ("epoch", .integer(epoch)),
            ]), to: folder + "/ckpt.pth")
        try TorchWriter.write(.stateDict(statistics), to: folder + "/preprocessor.pth")
        try writeConfiguration(in: folder)
    }

    /// A folder has one configuration: that of an earlier name goes.
    private func writeConfiguration(in folder: String) throws {
        try AtomicFile.write(Array(configuration.utf8), to: "\(folder)/\(job.name).yaml")
        let folder = Path(folder)
        for name in (try? folder.entries()) ?? [] where name.hasSuffix(".yaml") && name != Path(job.name + ".yaml") {
            folder.appending(name).unlink()
        }
    }

    private func codes(_ prefix: String) -> [NewTensor] {
        let books = trainer.codebooks
        return [
            NewTensor(
                name: prefix + "embeddings", shape: [books.books, books.count, books.dimensions], books.values())
        ]
    }

    private func rectifier(_ prefix: String) -> [NewTensor] {
        (trainer.rectifier?.tensors() ?? []).map {
            NewTensor(name: prefix + $0.name, shape: $0.shape, $0.values)
        }
    }

    private var statistics: [NewTensor] {
        [
            NewTensor(name: "mean", shape: [data.mean.count], data.mean),
            NewTensor(name: "std", shape: [data.deviation.count], data.deviation),
        ]
    }

    /// The authors' YAML.
    private var configuration: String {
        let settings = trainer.settings, books = trainer.codebooks
        let size = data.latents.shape.map(String.init).joined(separator: ", ")
        let channels = data.latents.shape[0]
        let decoder =
            trainer.rectifier == nil
            ? "    TYPE: identity\n"
            : """
                TYPE: dc_ae
                in_channels: \(channels)
                latent_channels: \(channels)
                attention_head_dim: 32
                block_type: [EfficientViTBlock]
                block_out_channels: [\(settings.features)]
                layers_per_block: [\(settings.layers)]
                qkv_multiscales: [[5]]
                norm_type: rms_norm
                act_fn: silu
                upsample_block_type: interpolate

            """
        return """
            name: \(job.name)
            model:
              input_data_size: [\(size)]
              quantizer:
                TYPE: vq
                num_code: \(books.count)
                num_group: \(books.books)
                tokens_per_data: \(settings.tokens)
              decoder:
            \(decoder)
            """
    }

    /// How the model was made and how well it does on its own latents.
    private var report: JSONValue {
        var members: [(String, JSONValue)] = [
            ("settings", trainer.settings.json), ("latents", .init(data.latents.count)),
            ("steps", .init(summary.steps)), ("epochs", .init(summary.epochs)), ("usage", .init(summary.usage)),
        ]
        for (name, losses) in [("training", summary.training), ("validation", summary.validation)] {
            guard let losses else { continue }
            members.append((name + "_quantized", .init(losses.quantizer)))
            if trainer.rectifier != nil { members.append((name + "_rectified", .init(losses.rectifier))) }
        }
        return .object(JSONObject(members))
    }

    /// Byte for byte, under the same name, for those who may read the file. Links are followed.
    private func copy(_ file: String, to folder: String) throws {
        let path = Path(file)
        let descriptor = path.open(O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw TrainingError("\(file): cannot be read: \(SystemError())") }
        defer { close(descriptor) }
        guard let access = FileAccess(path: file) else {
            throw TrainingError("\(file): cannot be read: \(SystemError())")
        }
        var piece = [UInt8](repeating: 0, count: 1 << 20)
        try AtomicFile.write("\(folder)/\(path.name)", access: access) { (sink) throws(FileWriteError) in
            while true {
                let count = read(descriptor, &piece, piece.count)
                if count == 0 { return }
                if count > 0 {
                    try sink.write(Array(piece[..<count]))
                } else if errno != EINTR {
                    throw FileWriteError(
                        path: sink.path, step: .contents, reason: "\(file) cannot be read: \(SystemError())")
                }
            }
        }
    }
}
