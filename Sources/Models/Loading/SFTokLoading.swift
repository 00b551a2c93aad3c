import Checkpoint
import TokenizerCore

/// Reads an SFTok checkpoint: one file of tensors and a configuration with the sampler's settings.
struct SFTokLoading {
    let source: ModelSource
    let file: CheckpointFile
    let config: ConfigSection

    func load(_ origin: WeightOrigin) throws -> LoadedModel {
        let (precision, warning) = source.feasiblePrecision
        let problems = try SFTokLayout.problems(TensorTable(file), config)
        guard problems.isEmpty else { throw ModelError.defects(problems) }
        try origin.check([SourceFile("weights", file)])
        let root = LayerScope(file: file, precision.arithmetic, origin)
        let parts = try naming(file) { try SFTokParts(root) }
        try root.requireSound(ignoring: Array(SFTokLayout.buffers))
        let sampler = try sampling()
        var contract = TokenContract(
            architecture: "sftok", tokensPerImage: parts.encoder.latents, codebookSize: parts.codebooks.count,
            perPositionCodebooks: false, assignments: [.sinkhorn, .nearest], defaultSteps: sampler.steps,
            defaultTemperature: sampler.temperature,
            preprocessing: Preprocessing(filter: .bicubic, size: parts.encoder.imageSize), precision: precision,
            fingerprint: "", parameters: 0)
        let used = file.names.filter { !SFTokLayout.buffers.contains($0) }
        let tensors = used.map { FingerprintedTensor(file: file, name: $0, canonicalName: Self.canonical($0)) }
        contract.parameters = tensors.reduce(0) { $0 + $1.count }
        contract.fingerprint = try origin.fingerprint(tensors, contract)
        let model = SFTokModel(parts: parts, contract: contract, annealing: sampler.annealing)
        return LoadedModel(
            tokenizer: model,
            description: ModelDescription(
                id: source.id, contract: contract, files: [("weights", file.path), ("configuration", config.path)],
                facts: facts(parts, sampler), warnings: warning.map { [$0] } ?? []))
    }

    /// The name an older release used.
    private static func canonical(_ name: String) -> String {
        name == "decoder.embedding_positional_embedding" ? "decoder.learnable_embedding_positional_embedding" : name
    }

    /// What the configuration gives, else the defaults.
    private func sampling() throws -> Sampling {
        let model = try config.section("model")
        let settings = try model.section(model.has("generator") ? "generator" : "decoder")
        let steps = try settings.int("num_steps") ?? 8
        let temperature = try settings.double("randomize_temperature") ?? 1
        let annealing = try settings.bool("softmax_temperature_annealing") ?? false
        guard (1...64).contains(steps) else {
            throw ModelError.config("\(config.path): \(settings.full("num_steps")) is \(steps), expected 1 to 64")
        }
        guard (0...100).contains(temperature) else {
            throw ModelError.config(
                "\(config.path): \(settings.full("randomize_temperature")) is \(temperature), expected 0 to 100")
        }
        return Sampling(steps: steps, temperature: Float(temperature), annealing: annealing)
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
}
