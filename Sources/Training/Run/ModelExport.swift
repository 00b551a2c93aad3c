import Checkpoint
import Foundation
import JSON

/// What a run ends with: a folder that `tessera serve` loads and, where asked for, the authors' own layout.
struct ModelExport {
    let job: TrainingJob
    let trainer: Trainer
    let data: TrainingSet
    let summary: TrainingSummary
    let epoch: Int

    func write() throws {
        try TrainingRun.makeFolder(job.modelFolder + "/vae")
        for name in ["config.json", "diffusion_pytorch_model.safetensors"] { try copyVAE(name) }
        try SafetensorsWriter.write(
            codes("quantizer.") + rectifier("decoder."), to: job.modelFolder + "/model.safetensors")
        try SafetensorsWriter.write(statistics, to: job.modelFolder + "/preprocessor.safetensors")
        try AtomicFile.write(Array(configuration.utf8), to: "\(job.modelFolder)/\(job.name).yaml")
        try AtomicFile.write(report.write() + [UInt8(ascii: "\n")], to: job.modelFolder + "/training.json")
        if job.writesTorch { try writeTorch(job.out + "/torch") }
    }

    /// `ckpt.pth`, `preprocessor.pth` and the YAML, as `torch.load` and the authors' code read them.
    private func writeTorch(_ folder: String) throws {
        try TrainingRun.makeFolder(folder)
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
        try AtomicFile.write(Array(configuration.utf8), to: "\(folder)/\(job.name).yaml")
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
            ("training_quantized", .init(summary.training.quantizer)),
            ("training_rectified", .init(summary.training.rectifier)),
        ]
        if let validation = summary.validation {
            members.append(("validation_quantized", .init(validation.quantizer)))
            members.append(("validation_rectified", .init(validation.rectifier)))
        }
        return .object(JSONObject(members))
    }

    /// Byte for byte. A link in the VAE's folder is followed.
    private func copyVAE(_ name: String) throws {
        let from = "\(job.vae)/\(name)"
        guard let bytes = try? Data(contentsOf: URL(fileURLWithPath: from), options: .mappedIfSafe) else {
            throw TrainingError("\(from): cannot be read")
        }
        try AtomicFile.write(Array(bytes), to: "\(job.modelFolder)/vae/\(name)")
    }
}
