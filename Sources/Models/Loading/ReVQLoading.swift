import Checkpoint
import Tensor
import TokenizerCore

/// Reads a ReVQ model: codebooks and rectifier, the VAE's folder, and the preprocessor's numbers.
struct ReVQLoading {
    let source: ModelSource
    let folder: ModelFolder
    let file: CheckpointFile
    let configPath: String
    let config: ConfigNode

    private static let buffers = ["index_offset", "count"]

    /// What is read of the configuration; what isn't may be anything.
    private static let members =
        ["num_code", "num_group", "tokens_per_data"].map { "model.quantizer.\($0)" }
        + ["model.input_data_size", "model.decoder.TYPE"]

    func load(_ origin: WeightOrigin) throws -> LoadedModel {
        try config.requireFinite(Self.members, in: configPath)
        let (precision, warning) = source.feasiblePrecision
        let vae = try DCAELoading(folder: source.vae ?? source.folder + "/vae", precision.arithmetic, origin)
        let preprocessor = try CheckpointFile(path: source.preprocessor ?? folder.preprocessor())
        try origin.check([
            SourceFile("weights", file), SourceFile("vae", vae.file), SourceFile("preprocessor", preprocessor),
        ])
        let encoder = try vae.encoder()
        let decoder = try vae.decoder(latent: encoder.extent)
        try vae.scope.requireSound()
        let root = LayerScope(file: file, precision.arithmetic, origin)
        let codebooks = try naming(file) { try self.codebooks(root.scope("quantizer"), latent: encoder.extent) }
        let rectifier = try naming(file) { try self.rectifier(root.scope("decoder"), latent: encoder.extent) }
        let numbers = encoder.extent.count
        let (mean, deviation) = try statistics(preprocessor, count: numbers)
        let parts = ReVQParts(
            encoder: encoder, decoder: decoder, rectifier: rectifier, mean: mean, deviation: deviation,
            codebooks: codebooks)
        var (contract, tensors) = contract(
            codebooks, latent: numbers, vae: vae.file, preprocessor: preprocessor, precision)
        contract.fingerprint = try origin.fingerprint(tensors, contract)
        return LoadedModel(
            tokenizer: ReVQModel(parts: parts, contract: contract),
            description: ModelDescription(
                id: source.id, contract: contract,
                files: [
                    ("weights", file.path), ("configuration", configPath), ("vae", vae.file.path),
                    ("vae configuration", vae.configPath), ("preprocessor", preprocessor.path),
                ],
                facts: facts(parts),
                warnings: (warning.map { [$0] } ?? [])
                    + warnings(codebooks, contract, latent: encoder.extent)
                    + vae.warnings(latent: encoder.extent)))
    }

    private func codebooks(_ scope: LayerScope, latent: Extent) throws -> Codebooks {
        let shape = try scope.dimensions("embeddings", rank: 3)
        let (books, count, dimensions) = (shape[0], shape[1], shape[2])
        // Every released model has a codebook for each token; with one for all, ids mean the same at each position.
        guard latent.count % dimensions == 0, books == 1 || books == latent.count / dimensions else {
            throw ModelError.structure(
                "quantizer.embeddings: shape \(shape), expected 1 or \(latent.count / dimensions) codebooks of vectors "
                    + "that divide a latent of \(latent.count) numbers")
        }
        return try scope.layer("embeddings") {
            let codes = try scope.buffer("embeddings", shape)
            try scope.requireSound(ignoring: Self.buffers)
            return Codebooks(books: books, count: count, dimensions: dimensions, codes: codes)
        } mapped: {
            try Codebooks(books: books, count: count, dimensions: dimensions, packed: $0)
        }
    }

    private func rectifier(_ scope: LayerScope, latent: Extent) throws -> DCAEDecoder? {
        let kind = config["model"]?["decoder"]?["TYPE"]?.string ?? "dc_ae"
        if kind == "identity" {
            try scope.requireEmpty()
            return nil
        }
        guard scope.has("conv_in.weight") else {
            throw ModelError.structure(
                "decoder.conv_in.weight: missing; the rectifier ('\(kind)') is expected to have a DC-AE decoder's tensors"
            )
        }
        let rectifier = try DCAEDecoder(scope, latent: latent, result: latent)
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
            return try file.finiteFloats(name)
        }
        let mean = try load("mean"), deviation = try load("std")
        if let index = deviation.firstIndex(where: { !($0 > 0) }) {
            throw ModelError.structure("\(file.path): std[\(index)] is \(deviation[index]), expected more than 0")
        }
        return (mean, deviation)
    }

    /// The contract without its fingerprint, and the tensors that make it.
    private func contract(
        _ codebooks: Codebooks, latent: Int, vae: CheckpointFile, preprocessor: CheckpointFile, _ precision: Precision
    ) -> (TokenContract, [FingerprintedTensor]) {
        var contract = TokenContract(
            architecture: "revq", tokensPerImage: latent / codebooks.dimensions, codebookSize: codebooks.count,
            perPositionCodebooks: codebooks.books > 1, assignments: [.nearest], defaultSteps: nil,
            defaultTemperature: nil, preprocessing: DCAELoading.preprocessing,
            precision: precision, fingerprint: "", parameters: 0)
        let main = file.names.filter { $0 == "quantizer.embeddings" || $0.hasPrefix("decoder.") }
        let tensors =
            main.map { FingerprintedTensor(file: file, name: $0, canonicalName: $0) }
            + vae.names.map { FingerprintedTensor(file: vae, name: $0, canonicalName: "vae." + $0) }
            + ["mean", "std"].map {
                FingerprintedTensor(file: preprocessor, name: $0, canonicalName: "preprocessor." + $0)
            }
        contract.parameters = tensors.reduce(0) { $0 + $1.count }
        return (contract, tensors)
    }

    private func facts(_ parts: ReVQParts) -> [(name: String, value: String)] {
        [
            ("latent", "\(parts.encoder.extent)"),
            (
                "codebooks",
                "\(parts.codebooks.books) of \(parts.codebooks.count) codes of \(parts.codebooks.dimensions) numbers"
            ),
            ("rectifier", parts.rectifier == nil ? "identity" : "DC-AE decoder"),
        ]
    }

    private func warnings(_ codebooks: Codebooks, _ contract: TokenContract, latent: Extent) -> [String] {
        let node = config["model"]?["quantizer"]
        let size = config["model"]?["input_data_size"]?.list?.map { $0.int ?? 0 }
        let found = [latent.channels, latent.height, latent.width]
        let claims = [
            ("model.quantizer.num_code", node?["num_code"]?.int, codebooks.count),
            ("model.quantizer.num_group", node?["num_group"]?.int, codebooks.books),
            ("model.quantizer.tokens_per_data", node?["tokens_per_data"]?.int, contract.tokensPerImage),
        ]
        let sizes = size.map { $0 == found ? [] : [("model.input_data_size", "\($0)", "\(found)")] } ?? []
        return disagreements(claims, in: configPath) + disagreements(sizes, in: configPath)
    }
}
