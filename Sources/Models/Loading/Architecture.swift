import Checkpoint

/// Whose tensors a file holds, by their names; a single one that is missing or named otherwise doesn't change that.
enum Architecture {
    case sftok, revq

    /// First components of names.
    static let roots: Set<String> = [
        "latent_tokens", "encoder", "decoder", "quantize", "quantizer", "pixel_quantize", "pixel_decoder",
    ]

    private static let sftokPrefixes = [
        "latent_tokens", "quantize.", "pixel_quantize.", "pixel_decoder.", "encoder.transformer.",
        "decoder.transformer.",
    ]

    init(_ file: CheckpointFile, _ config: ConfigSection) throws {
        var counts = (sftok: 0, revq: 0, rectifier: 0, encoder: 0)
        for name in file.names {
            if Self.sftokPrefixes.contains(where: name.hasPrefix) { counts.sftok += 1 }
            if name.hasPrefix("quantizer.") { counts.revq += 1 }
            if name.hasPrefix("decoder.up_blocks.") { counts.rectifier += 1 }
            if name.hasPrefix("encoder.") { counts.encoder += 1 }
        }
        if counts.revq > counts.sftok || counts.sftok == 0 && counts.rectifier > 0 && counts.encoder == 0 {
            self = .revq
        } else if counts.sftok > 0 {
            self = .sftok
        } else if counts.encoder == 0, try config.section("model").has("quantizer"), file.globals.isEmpty {
            self = .revq
        } else {
            throw Self.neither(file)
        }
    }

    private static func neither(_ file: CheckpointFile) -> ModelError {
        let expected = "expected SFTok ('quantize.embedding') or ReVQ ('quantizer.embeddings')"
        if file.names.contains(where: { $0.hasSuffix("embeddings.word_embeddings.weight") }) {
            return .structure(
                "\(file.path): this is SFTok's generator, which makes tokens from classes; \(expected)")
        }
        if file.has("encoder.conv_in.weight") || file.has("encoder.conv_in.conv.weight") {
            return .structure("\(file.path): this is a VAE, which has no tokens by itself; \(expected)")
        }
        let places = Dictionary(grouping: file.globals.keys) { file.globals[$0] ?? "" }
        if let most = places.max(by: { ($0.value.count, $1.key) < ($1.value.count, $0.key) }) {
            let defect = TensorDefect.global(most.key, first: most.value.min() ?? "", count: most.value.count)
            return .structure(defect.line(file.path))
        }
        let some = file.names.sorted().prefix(3).map { "'\($0)'" }.joined(separator: ", ")
        return .structure(
            "\(file.path): no tokenizer's tensors: \(expected), found \(some.isEmpty ? "none" : some)")
    }
}
