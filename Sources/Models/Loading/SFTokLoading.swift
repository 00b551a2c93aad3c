import Checkpoint
import TokenizerCore

/// Reads an SFTok checkpoint: one file of tensors and a configuration with the sampler's settings.
struct SFTokLoading {
    let source: ModelSource
    let file: CheckpointFile
    let configPath: String
    let config: ConfigNode

    /// Buffers that old and new releases carry and nobody needs.
    private static let buffers = ["quantize.index_offset", "index_offset", "count"]

    /// What is read of the configuration; what isn't may be anything.
    private var members: [String] {
        let sampler = samplerName.map { name in
            ["num_steps", "randomize_temperature", "softmax_temperature_annealing"].map { "model.\(name).\($0)" }
        }
        let sizes = ["codebook_size", "token_size", "num_latent_tokens"].map { "model.vq_model.\($0)" }
        return (sampler ?? []) + sizes + ["dataset.preprocessing.crop_size"]
    }

    /// `generator` if `model` has it (the authors' code), else `decoder` (the published files).
    private var samplerName: String? {
        ["generator", "decoder"].first { config["model"]?[$0].map { !$0.isNull } ?? false }
    }

    func load(_ origin: WeightOrigin) throws -> LoadedModel {
        try config.requireFinite(members, in: configPath)
        let (precision, warning) = source.feasiblePrecision
        try origin.check([SourceFile("weights", file)])
        let root = LayerScope(file: file, precision.arithmetic, origin)
        let parts = try naming(file) { try SFTokParts(root) }
        try root.requireSound(ignoring: Self.buffers)
        let sampler = try sampling()
        var contract = TokenContract(
            architecture: "sftok", tokensPerImage: parts.encoder.latents, codebookSize: parts.codebooks.count,
            perPositionCodebooks: false, assignments: [.sinkhorn, .nearest], defaultSteps: sampler.steps,
            defaultTemperature: sampler.temperature,
            preprocessing: Preprocessing(filter: .bicubic, size: parts.encoder.imageSize), precision: precision,
            fingerprint: "", parameters: 0)
        let used = file.names.filter { !Self.buffers.contains($0) }
        let tensors = used.map { FingerprintedTensor(file: file, name: $0, canonicalName: Self.canonical($0)) }
        contract.parameters = tensors.reduce(0) { $0 + $1.count }
        contract.fingerprint = try origin.fingerprint(tensors, contract)
        let model = SFTokModel(parts: parts, contract: contract, annealing: sampler.annealing)
        return LoadedModel(
            tokenizer: model,
            description: ModelDescription(
                id: source.id, contract: contract, files: [("weights", file.path), ("configuration", configPath)],
                facts: facts(parts, sampler), warnings: (warning.map { [$0] } ?? []) + warnings(parts)))
    }

    /// The name an older release used.
    private static func canonical(_ name: String) -> String {
        name == "decoder.embedding_positional_embedding" ? "decoder.learnable_embedding_positional_embedding" : name
    }

    /// What the configuration gives, else the defaults.
    private func sampling() throws -> Sampling {
        let node = samplerName.flatMap { config["model"]?[$0] }
        let steps = try setting("num_steps", node, \.int, "an integer") ?? 8
        let temperature = try setting("randomize_temperature", node, \.double, "a number") ?? 1
        let annealing = try setting("softmax_temperature_annealing", node, \.bool, "true or false") ?? false
        guard (1...64).contains(steps) else {
            throw ModelError.config("\(configPath): num_steps is \(steps), expected 1 to 64")
        }
        guard (0...100).contains(temperature) else {
            throw ModelError.config("\(configPath): randomize_temperature is \(temperature), expected 0 to 100")
        }
        return Sampling(steps: steps, temperature: Float(temperature), annealing: annealing)
    }

    /// A setting that may be left out; what is there and isn't of its type is an error, not the default.
    private func setting<T>(
        _ name: String, _ node: ConfigNode?, _ type: KeyPath<ConfigNode, T?>, _ expected: String
    ) throws(ModelError) -> T? {
        guard let value = node?[name], !value.isNull else { return nil }
        guard let typed = value[keyPath: type] else {
            throw .config("\(configPath): \(name) is \(value.value), expected \(expected)")
        }
        return typed
    }

    private func facts(_ parts: SFTokParts, _ sampler: Sampling) -> [(name: String, value: String)] {
        [
            (
                "encoder",
                "\(parts.encoder.depth) layers, \(parts.encoder.width) wide, patches of \(parts.encoder.patch)"
            ),
            ("decoder", "\(parts.decoder.depth) layers, \(parts.decoder.width) wide"),
            ("grid", "\(parts.decoder.proxies) positions of \(parts.decoder.proxyCodes) proxy codes"),
            ("token width", "\(parts.encoder.tokenWidth)"),
            ("steps", "\(sampler.steps), temperature \(sampler.temperature)"),
        ]
    }

    private func warnings(_ parts: SFTokParts) -> [String] {
        let node = config["model"]?["vq_model"]
        let claims: [(String, Int?, Int)] = [
            ("model.vq_model.codebook_size", node?["codebook_size"]?.int, parts.codebooks.count),
            ("model.vq_model.token_size", node?["token_size"]?.int, parts.encoder.tokenWidth),
            ("model.vq_model.num_latent_tokens", node?["num_latent_tokens"]?.int, parts.encoder.latents),
            (
                "dataset.preprocessing.crop_size", config["dataset"]?["preprocessing"]?["crop_size"]?.int,
                parts.encoder.imageSize
            ),
        ]
        return disagreements(claims, in: configPath)
    }
}

/// One line for every number that a configuration gives and the tensors contradict.
func disagreements(_ claims: [(String, Int?, Int)], in path: String) -> [String] {
    disagreements(
        claims.compactMap { name, claimed, actual in
            claimed.flatMap { $0 == actual ? nil : (name, "\($0)", "\(actual)") }
        }, in: path)
}

func disagreements(_ told: [(name: String, claimed: String, actual: String)], in path: String) -> [String] {
    told.map { "\(path): \($0.name) is \($0.claimed), the tensors say \($0.actual); the tensors win" }
}
