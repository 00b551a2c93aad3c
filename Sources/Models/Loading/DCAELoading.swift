import Checkpoint
import Tensor
import TokenizerCore

/// Reads a DC-AE's folder (`config.json`, `diffusion_pytorch_model.safetensors`): both halves for a ReVQ model, the
/// encoder alone for a training set's latents.
struct DCAELoading {
    let file: CheckpointFile
    let configPath: String
    /// Of the whole file; it knows which tensors have been taken.
    let scope: LayerScope
    private let config: ConfigSection
    /// That names stand behind a prefix which is left out.
    let note: String?

    /// DC-AE is convolutional; ReVQ's tokens are those of 256x256.
    static let preprocessing = Preprocessing(filter: .bilinear, size: 256)

    init(folder path: String, _ arithmetic: Compute.Arithmetic = .float32, _ origin: WeightOrigin = .tensors) throws {
        let folder = try ModelFolder(path)
        let opened = try CheckpointFile(path: folder.weights(preferring: ["diffusion_pytorch_model.safetensors"]))
        (file, note) = try Wrapping.removed(from: opened, roots: ["encoder", "decoder"])
        configPath = try folder.config()
        config = try ConfigSection(path: configPath)
        scope = LayerScope(file: file, arithmetic, origin, part: "vae.")
        try Self.check(config, at: configPath)
    }

    /// What the tensors and the configuration say of the parts, and what is wrong with them.
    func layout(_ parts: [DCAEHalf.Part] = [.encoder, .decoder]) throws(ModelError) -> DCAELayout {
        try DCAELayout(TensorTable(file), config, size: Self.preprocessing.size, parts: parts)
    }

    func encoder() throws -> DCAEEncoder {
        try naming(file) { try DCAEEncoder(scope.scope("encoder"), size: Self.preprocessing.size) }
    }

    func decoder(latent: Extent) throws -> DCAEDecoder {
        let picture = Extent(height: Self.preprocessing.size, width: Self.preprocessing.size, channels: 3)
        return try naming(file) {
            try DCAEDecoder(scope.scope("decoder"), latent: latent, result: picture)
        }
    }

    /// What shapes can't tell and this code doesn't vary.
    private static func check(_ config: ConfigSection, at path: String) throws(ModelError) {
        if let width = try config.int("attention_head_dim"), width != 32 {
            throw .config("\(path): attention_head_dim is \(width), expected 32")
        }
        let expected = [
            ("decoder_norm_types", "rms_norm"), ("decoder_act_fns", "silu"), ("encoder_norm_types", "rms_norm"),
            ("encoder_act_fns", "silu"),
        ]
        for (name, value) in expected {
            guard let words = try config.words(name) else { continue }
            for stage in 0..<(words.count ?? 1) where words.of(stage) != value {
                throw .config("\(path): \(name) is '\(words.of(stage) ?? "")', expected '\(value)'")
            }
        }
    }
}
