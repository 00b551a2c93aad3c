import Checkpoint
import Tensor
import TokenizerCore

/// Reads a ReVQ model: codebooks and rectifier, the VAE's folder, and the preprocessor's numbers.
struct ReVQLoading {
    let source: ModelSource
    let file: CheckpointFile
    let configPath: String
    let config: ConfigNode

    /// Pixels of an edge: DC-AE is convolutional, ReVQ's tokens are those of 256x256.
    private static let size = 256
    private static let buffers = ["index_offset", "count"]

    func load() throws -> LoadedModel {
        let vaeFolder = try ModelFolder(source.vae ?? source.folder + "/vae")
        let vae = try CheckpointFile(path: vaeFolder.weights(preferring: ["diffusion_pytorch_model.safetensors"]))
        let vaeConfig = try vaeFolder.config()
        try check(ConfigNode.load(path: vaeConfig), at: vaeConfig)
        let preprocessor = try CheckpointFile(path: source.preprocessor ?? source.folder + "/preprocessor.pth")
        let vaeScope = TensorScope(file: vae)
        let encoder = try naming(vae) { try DCAEEncoder(vaeScope.scope("encoder"), size: Self.size) }
        let decoder = try naming(vae) {
            try DCAEDecoder(vaeScope.scope("decoder"), latent: encoder.extent, outputs: 3)
        }
        try vaeScope.requireSound()
        guard decoder.extent == Extent(height: Self.size, width: Self.size, channels: 3) else {
            throw ModelError.structure("\(vae.path): the decoder makes \(decoder.extent), expected 256 x 256 x 3")
        }
        let root = TensorScope(file: file)
        let codebooks = try naming(file) { try self.codebooks(root.scope("quantizer"), latent: encoder.extent) }
        let rectifier = try naming(file) { try self.rectifier(root.scope("decoder"), latent: encoder.extent) }
        let numbers = encoder.extent.height * encoder.extent.width * encoder.extent.channels
        let (mean, deviation) = try statistics(preprocessor, count: numbers)
        let parts = ReVQParts(
            encoder: encoder, decoder: decoder, rectifier: rectifier, mean: mean, deviation: deviation,
            codebooks: codebooks)
        let contract = try contract(codebooks, latent: numbers, vae: vae, preprocessor: preprocessor)
        return LoadedModel(
            tokenizer: ReVQModel(parts: parts, contract: contract),
            description: ModelDescription(
                id: source.id, contract: contract,
                files: [
                    ("weights", file.path), ("configuration", configPath), ("vae", vae.path),
                    ("vae configuration", vaeConfig), ("preprocessor", preprocessor.path),
                ],
                facts: facts(parts), warnings: warnings(codebooks, contract)))
    }

    private func codebooks(_ scope: TensorScope, latent: Extent) throws -> Codebooks {
        let shape = try scope.dimensions("embeddings", rank: 3)
        let (books, count, dimensions) = (shape[0], shape[1], shape[2])
        let numbers = latent.height * latent.width * latent.channels
        guard numbers % dimensions == 0, (numbers / dimensions) % books == 0 else {
            throw ModelError.structure(
                "quantizer.embeddings: shape \(shape) doesn't divide a latent of \(numbers) numbers into tokens")
        }
        let codes = try scope.buffer("embeddings", shape)
        try scope.requireSound(ignoring: Self.buffers)
        return Codebooks(books: books, count: count, dimensions: dimensions, codes: codes)
    }

    private func rectifier(_ scope: TensorScope, latent: Extent) throws -> DCAEDecoder? {
        let kind = config["model"]?["decoder"]?["TYPE"]?.string ?? "dc_ae"
        if kind == "identity" {
            try scope.requireSound()
            return nil
        }
        guard scope.has("conv_in.weight") else {
            throw ModelError.structure(
                "decoder.conv_in.weight: missing; the rectifier ('\(kind)') is expected to have a DC-AE decoder's tensors"
            )
        }
        let rectifier = try DCAEDecoder(scope, latent: latent, outputs: latent.channels)
        guard rectifier.extent == latent else {
            throw ModelError.structure("decoder: the rectifier makes \(rectifier.extent), expected \(latent)")
        }
        try scope.requireSound()
        return rectifier
    }

    /// `mean` and `std`, one number each for every number of the latent, whatever their shape.
    private func statistics(_ file: CheckpointFile, count: Int) throws -> (mean: [Float], deviation: [Float]) {
        func load(_ name: String) throws -> [Float] {
            let info = try file.info(name)
            guard info.count == count else {
                throw CheckpointError.wrongShape(
                    path: file.path, tensor: name, found: info.shape, expected: [count])
            }
            return try file.floats(name)
        }
        let mean = try load("mean"), deviation = try load("std")
        if let index = deviation.firstIndex(where: { !($0 > 0 && $0.isFinite) }) {
            throw ModelError.structure("\(file.path): std[\(index)] is \(deviation[index]), expected more than 0")
        }
        return (mean, deviation)
    }

    /// What shapes can't tell and this code doesn't vary.
    private func check(_ config: ConfigNode, at path: String) throws {
        let expected: [(String, String)] = [
            ("attention_head_dim", "32"), ("decoder_norm_types", "rms_norm"), ("decoder_act_fns", "silu"),
            ("encoder_norm_types", "rms_norm"), ("encoder_act_fns", "silu"),
        ]
        for (name, value) in expected {
            guard let node = config[name], !node.isNull else { continue }
            let found = node.list ?? [node]
            for item in found where (item.string ?? item.int.map(String.init)) != value {
                throw ModelError.config("\(path): \(name) is \(item.value), expected \(value)")
            }
        }
    }

    private func contract(
        _ codebooks: Codebooks, latent: Int, vae: CheckpointFile, preprocessor: CheckpointFile
    ) throws -> TokenContract {
        var contract = TokenContract(
            architecture: "revq", tokensPerImage: latent / codebooks.dimensions, codebookSize: codebooks.count,
            perPositionCodebooks: codebooks.books > 1, assignments: [.nearest], defaultSteps: nil,
            defaultTemperature: nil, preprocessing: Preprocessing(filter: .bilinear, size: Self.size),
            precision: "fp32", fingerprint: "", parameters: 0)
        let main = file.names.filter { $0 == "quantizer.embeddings" || $0.hasPrefix("decoder.") }
        let tensors =
            main.map { FingerprintedTensor(file: file, name: $0, canonicalName: $0) }
            + vae.names.map { FingerprintedTensor(file: vae, name: $0, canonicalName: "vae." + $0) }
            + ["mean", "std"].map {
                FingerprintedTensor(file: preprocessor, name: $0, canonicalName: "preprocessor." + $0)
            }
        contract.parameters = tensors.reduce(0) { $0 + $1.count }
        contract.fingerprint = try Fingerprint.of(tensors, contract)
        return contract
    }

    private func facts(_ parts: ReVQParts) -> [(name: String, value: String)] {
        let latent = parts.encoder.extent
        return [
            ("latent", "\(latent.channels) x \(latent.height) x \(latent.width)"),
            (
                "codebooks",
                "\(parts.codebooks.books) of \(parts.codebooks.count) codes of \(parts.codebooks.dimensions) numbers"
            ),
            ("rectifier", parts.rectifier == nil ? "identity" : "DC-AE decoder"),
        ]
    }

    private func warnings(_ codebooks: Codebooks, _ contract: TokenContract) -> [String] {
        let node = config["model"]?["quantizer"]
        return disagreements(
            [
                ("model.quantizer.num_code", node?["num_code"]?.int, codebooks.count),
                ("model.quantizer.num_group", node?["num_group"]?.int, codebooks.books),
                ("model.quantizer.tokens_per_data", node?["tokens_per_data"]?.int, contract.tokensPerImage),
            ], in: configPath)
    }
}
