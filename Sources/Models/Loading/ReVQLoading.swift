import Checkpoint
import Tensor
import TokenizerCore

/// Reads a ReVQ model: codebooks and rectifier, the VAE's folder, and the preprocessor's numbers.
struct ReVQLoading {
    let source: ModelSource
    let folder: ModelFolder
    let file: CheckpointFile
    let config: ConfigSection

    func load(_ origin: WeightOrigin) throws -> LoadedModel {
        let (precision, warning) = source.feasiblePrecision
        let vae = try DCAELoading(folder: source.vae ?? source.folder + "/vae", precision.arithmetic, origin)
        let (preprocessor, note) = try Wrapping.removed(
            from: CheckpointFile(path: source.preprocessor ?? folder.preprocessor()), roots: ["mean", "std"])
        try check(vae, preprocessor)
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
                    ("weights", file.path), ("configuration", config.path), ("vae", vae.file.path),
                    ("vae configuration", vae.configPath), ("preprocessor", preprocessor.path),
                ],
                facts: facts(parts),
                warnings: [warning, vae.note, note].compactMap(\.self)))
    }

    /// Names, shapes and settings of all three files, before anything is read: what is wrong is told together.
    private func check(_ vae: DCAELoading, _ preprocessor: CheckpointFile) throws {
        let layout = try vae.layout()
        var problems = layout.problems
        if let latent = layout.latent {
            problems += try ReVQLayout.problems(TensorTable(file), config, latent: latent)
            problems += PreprocessorLayout.problems(TensorTable(preprocessor), count: latent.count)
        }
        guard problems.isEmpty else { throw ModelError.defects(problems) }
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
            try scope.requireSound(ignoring: ["index_offset", "count"])
            return Codebooks(books: books, count: count, dimensions: dimensions, codes: codes)
        } mapped: {
            try Codebooks(books: books, count: count, dimensions: dimensions, packed: $0)
        }
    }

    private func rectifier(_ scope: LayerScope, latent: Extent) throws -> DCAEDecoder? {
        if try ReVQLayout.isIdentity(config) {
            try scope.requireEmpty()
            return nil
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
}
