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
    private let config: ConfigNode

    /// DC-AE is convolutional; ReVQ's tokens are those of 256x256.
    static let preprocessing = Preprocessing(filter: .bilinear, size: 256)

    init(folder path: String, _ arithmetic: Compute.Arithmetic = .float32, _ origin: WeightOrigin = .tensors) throws {
        let folder = try ModelFolder(path)
        file = try CheckpointFile(path: folder.weights(preferring: ["diffusion_pytorch_model.safetensors"]))
        configPath = try folder.config()
        config = try ConfigNode.load(path: configPath)
        scope = LayerScope(file: file, arithmetic, origin, part: "vae.")
        try Self.check(config, at: configPath)
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
    private static func check(_ config: ConfigNode, at path: String) throws {
        let expected: [(String, String)] = [
            ("attention_head_dim", "32"), ("decoder_norm_types", "rms_norm"), ("decoder_act_fns", "silu"),
            ("encoder_norm_types", "rms_norm"), ("encoder_act_fns", "silu"),
        ]
        try config.requireFinite(
            expected.map(\.0) + ["latent_channels", "encoder_layers_per_block", "decoder_layers_per_block"], in: path)
        for (name, value) in expected {
            guard let node = config[name], !node.isNull else { continue }
            let found = node.list ?? [node]
            for item in found where (item.string ?? item.int.map(String.init)) != value {
                throw ModelError.config("\(path): \(name) is \(item.value), expected \(value)")
            }
        }
    }

    /// What a DC-AE's configuration says of itself, beside what its tensors say.
    func warnings(latent: Extent) -> [String] {
        var claims: [(String, String?, String)] = [
            ("latent_channels", config["latent_channels"]?.int.map(String.init), "\(latent.channels)")
        ]
        for (part, blocks) in [("encoder", "down_blocks"), ("decoder", "up_blocks")] {
            let side = scope.scope(part)
            let depths = config["\(part)_layers_per_block"]?.list?.map { $0.int ?? -1 }
            let found = (depths ?? []).indices.map { stage in
                side.childIndices("\(blocks).\(stage)").count { !side.has("\(blocks).\(stage).\($0).conv.weight") }
            }
            claims.append(("\(part)_layers_per_block", depths.map { "\($0)" }, "\(found)"))
        }
        let told = claims.compactMap { name, claimed, found in
            claimed.flatMap { $0 == found ? nil : (name, $0, found) }
        }
        return disagreements(told, in: configPath)
    }
}
