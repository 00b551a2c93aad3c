import Checkpoint
import Tensor
import TokenizerCore

/// SFTok (arXiv 2512.16910): ViT encoder, unit-length codes, multi-step masked decoder, MaskGIT-VQGAN pixels.
package final class SFTokModel: Tokenizer {
    package let contract: TokenContract
    private let encoder: SFTokEncoder
    private let decoder: SFTokDecoder
    private let pixelDecoder: PixelDecoder
    /// Proxy codes' vectors, transposed: softmaxed logits times it is the pixel decoder's input.
    private let proxyCodebook: Linear
    private let codebooks: Codebooks
    private let annealing: Bool
    package let pool = ScratchPool()

    init(parts: SFTokParts, contract: TokenContract, annealing: Bool) {
        encoder = parts.encoder
        decoder = parts.decoder
        pixelDecoder = parts.pixelDecoder
        proxyCodebook = parts.proxyCodebook
        codebooks = parts.codebooks
        self.contract = contract
        self.annealing = annealing
    }

    package func encode(_ image: RGBImage, options: EncodeOptions) throws(TokenizerError) -> TokenSequence {
        try check(image)
        return assign(
            features(of: image), assignment: options.assignment ?? contract.assignments[0],
            wantsMargins: options.wantsMargins)
    }

    package func decode(_ tokens: [Int32], options: DecodeOptions) throws(TokenizerError) -> RGBImage {
        try check(tokens)
        let sampling = Sampling(
            steps: options.steps ?? contract.defaultSteps ?? 8,
            temperature: options.temperature ?? contract.defaultTemperature ?? 1, annealing: annealing,
            seed: options.seed)
        guard (1...64).contains(sampling.steps) else {
            throw .option(name: "steps", reason: "\(sampling.steps) is not in 1 ... 64")
        }
        guard (0...100).contains(sampling.temperature) else {
            throw .option(name: "temperature", reason: "\(sampling.temperature) is not in 0 ... 100")
        }
        return Pixels.image(pixels(of: generate(tokens, sampling)), scale: 1, offset: 0)
    }

    package func codebook() -> CodebookTable {
        CodebookTable(shape: [codebooks.count, codebooks.dimensions], values: codebooks.values)
    }

    package func onProgress(_ body: @escaping () -> Void) { pool.whenTaken = body }

    /// Encoder output of an image before quantization, (tokens, token width).
    package func features(of image: RGBImage) -> Plane { encoder(image, pool) }

    /// Features, which are scaled to unit length, to ids.
    package func assign(_ z: Plane, assignment: Assignment, wantsMargins: Bool) -> TokenSequence {
        z.normalizeRows()
        let nearest = assignment == .nearest || wantsMargins ? codebooks.nearest(z.data, count: z.rows) : nil
        let ids =
            switch assignment {
            case .nearest: nearest?.ids ?? []
            case .sinkhorn: codebooks.distances(z, pool).sinkhorn()
            }
        return TokenSequence(ids: ids, margins: wantsMargins ? nearest?.margins : nil)
    }

    /// Distances (tokens, codes) of features, which are scaled to unit length.
    package func distances(_ z: Plane) -> Plane {
        z.normalizeRows()
        return codebooks.distances(z, pool)
    }

    /// The vectors of tokens as the decoder's condition.
    package func condition(_ tokens: [Int32]) -> Plane {
        let codes = pool.plane(tokens.count, 1, codebooks.dimensions)
        for (position, id) in tokens.enumerated() {
            codebooks.copy(Int(id), book: 0, to: codes.data + position * codebooks.dimensions)
        }
        return decoder.condition(codes, pool)
    }

    /// All positions masked.
    package var blankIDs: [Int32] { [Int32](repeating: decoder.maskID, count: decoder.proxies) }

    /// One pass: ids of the grid -> logits (positions, proxy codes).
    package func logits(_ ids: [Int32], condition: Plane) -> Plane {
        decoder.logits(ids, condition: condition, chosen: Array(ids.indices), SFTokDecoder.Passes(), pool)
    }

    package func sampler(_ sampling: Sampling) -> MaskedSampler { MaskedSampler(sampling, maskID: decoder.maskID) }

    /// Logits of the last step: pixels come from them, not from the sampled ids.
    package func generate(_ tokens: [Int32], _ sampling: Sampling) -> Plane {
        let condition = condition(tokens)
        var sampler = sampler(sampling)
        var ids = blankIDs
        let passes = SFTokDecoder.Passes()
        for step in 0..<sampling.steps - 1 {
            // A step reads the logits of masked positions alone.
            let chosen = SFTokDecoder.filled(ids.indices.filter { ids[$0] == decoder.maskID }, of: ids.count)
            let logits = decoder.logits(ids, condition: condition, chosen: chosen, passes, pool)
            ids = sampler.decide(ids, step: step, logits: logits, of: chosen, pool).ids
        }
        let last = decoder.logits(ids, condition: condition, chosen: Array(ids.indices), passes, pool)
        if sampling.annealing {
            for index in 0..<last.count { last.data[index] /= 0.5 }
        }
        return last
    }

    /// Logits, which are softmaxed in place, to pixels (256, 256, 3) in about [0, 1].
    package func pixels(of logits: Plane) -> Plane {
        logits.softmax()
        let side = Int(Double(logits.rows).squareRoot())
        let z = pool.plane(side, side, proxyCodebook.outputs)
        proxyCodebook.run(.float32(logits), to: z)
        return pixelDecoder(z, pool)
    }
}

/// The networks of an SFTok checkpoint.
struct SFTokParts {
    let encoder: SFTokEncoder
    let decoder: SFTokDecoder
    let pixelDecoder: PixelDecoder
    let proxyCodebook: Linear
    let codebooks: Codebooks

    init(_ root: LayerScope) throws {
        encoder = try SFTokEncoder(root)
        decoder = try SFTokDecoder(
            root.scope("decoder"), latents: encoder.latents, tokenWidth: encoder.tokenWidth)
        let side = Int(Double(decoder.proxies).squareRoot())
        guard side * side == decoder.proxies, side * 16 == encoder.imageSize else {
            throw ModelError.structure(
                "decoder: \(decoder.proxies) grid positions don't make a picture of \(encoder.imageSize) pixels")
        }
        codebooks = try SFTokParts.codebooks(root.scope("quantize"), width: encoder.tokenWidth)
        let scope = root.scope("pixel_quantize")
        let (codes, width) = (decoder.proxyCodes, try scope.dimensions("embedding.weight", rank: 2)[1])
        proxyCodebook = try scope.exact.linear("embedding", inputs: codes, outputs: width) {
            let vectors = try scope.buffer("embedding.weight", [codes, width])
            return try Linear(
                inputs: codes, outputs: width, weight: transposed(vectors, rows: codes), bias: nil)
        }
        pixelDecoder = try PixelDecoder(
            root.scope("pixel_decoder"), latentWidth: width, side: side, size: encoder.imageSize)
    }

    /// normalize(embedding * shared_linear): codes of unit length.
    private static func codebooks(_ scope: LayerScope, width: Int) throws -> Codebooks {
        let count = try scope.dimensions("embedding", rank: 3)[1]
        // Flat: its default assignment needs every distance.
        return try scope.layer("codes") {
            let embedding = try scope.buffer("embedding", [1, count, width])
            let linear = try Linear(
                inputs: width, outputs: width, weight: try scope.buffer("shared_linear.weight", [width, width]),
                bias: try scope.buffer("shared_linear.bias", [width]))
            let pool = ScratchPool()
            let codes = linear(pool.plane(count, 1, width, embedding.array), pool)
            codes.normalizeRows()
            return Codebooks(
                books: 1, count: count, dimensions: width, codes: FloatBuffer(codes.values), isTree: false)
        } mapped: {
            try Codebooks(books: 1, count: count, dimensions: width, packed: $0, isTree: false)
        }
    }
}

private func transposed(_ matrix: borrowing FloatBuffer, rows: Int) -> FloatBuffer {
    let columns = matrix.count / rows
    let out = FloatBuffer(count: matrix.count)
    for row in 0..<rows {
        for column in 0..<columns { out.data[column * rows + row] = matrix.data[row * columns + column] }
    }
    return out
}
