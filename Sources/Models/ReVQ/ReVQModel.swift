import Checkpoint
import Tensor
import TokenizerCore

/// ReVQ (arXiv 2507.10547): a frozen DC-AE, one codebook per token position, and a rectifier after dequantization.
package final class ReVQModel: Tokenizer {
    package let contract: TokenContract
    private let encoder: DCAEEncoder
    private let decoder: DCAEDecoder
    private let rectifier: DCAEDecoder?
    /// Per latent number, in (channel, row, column) order.
    private let mean: [Float]
    private let deviation: [Float]
    private let codebooks: Codebooks
    private let latent: Extent
    private let pool = ScratchPool()

    init(parts: ReVQParts, contract: TokenContract) {
        encoder = parts.encoder
        decoder = parts.decoder
        rectifier = parts.rectifier
        mean = parts.mean
        deviation = parts.deviation
        codebooks = parts.codebooks
        latent = parts.encoder.extent
        self.contract = contract
    }

    private var tokens: Int { contract.tokensPerImage }

    package func encode(_ image: RGBImage, options: EncodeOptions) throws(TokenizerError) -> TokenSequence {
        try check(image)
        if let assignment = options.assignment, assignment != .nearest {
            throw .option(
                name: "assignment", reason: "ReVQ assigns the nearest code; '\(assignment.rawValue)' is SFTok's")
        }
        let nearest = assign(normalized(self.latent(of: image)))
        return TokenSequence(ids: nearest.ids, margins: options.wantsMargins ? nearest.margins : nil)
    }

    package func decode(_ tokens: [Int32], options: DecodeOptions) throws(TokenizerError) -> RGBImage {
        try check(tokens)
        for (name, given) in [("steps", options.steps != nil), ("temperature", options.temperature != nil)] where given
        {
            throw .option(name: name, reason: "ReVQ decodes in one pass without noise")
        }
        return Pixels.image(pixels(of: rectified(dequantized(tokens))), scale: 0.5, offset: 0.5)
    }

    package func codebook() -> CodebookTable {
        CodebookTable(
            shape: [codebooks.books, codebooks.count, codebooks.dimensions], values: codebooks.values)
    }

    package func onProgress(_ body: @escaping () -> Void) { pool.whenTaken = body }

    /// The VAE's latent of an image (size, size), (h, w, channels).
    package func latent(of image: RGBImage) -> Plane {
        encoder(Pixels.plane(image, scale: 2, offset: -1, pool), pool)
    }

    /// (z - mean) / std in (channel, row, column) order: what the codebooks cut into tokens.
    package func normalized(_ z: Plane) -> [Float] {
        var flat = z.channelsFirst
        for index in flat.indices { flat[index] = (flat[index] - mean[index]) / deviation[index] }
        return flat
    }

    /// Token t covers numbers t * d ..< (t + 1) * d and is looked up in codebook t mod G.
    package func assign(_ flat: [Float]) -> Codebooks.Nearest {
        codebooks.nearest(flat, count: flat.count / codebooks.dimensions)
    }

    package func dequantized(_ tokens: [Int32]) -> Plane {
        let (d, books) = (codebooks.dimensions, codebooks.books)
        let flat = pool.plane(1, 1, tokens.count * d)
        for (position, id) in tokens.enumerated() {
            codebooks.copy(Int(id), book: position % books, to: flat.data + position * d)
        }
        let plane = pool.plane(latent.height, latent.width, latent.channels)
        let pixels = plane.rows
        for pixel in 0..<pixels {
            for channel in 0..<latent.channels {
                plane.data[pixel * latent.channels + channel] = flat.data[channel * pixels + pixel]
            }
        }
        return plane
    }

    package func rectified(_ z: Plane) -> Plane { rectifier.map { $0(z, pool) } ?? z }

    /// A normalised latent to pixels in about [-1, 1].
    package func pixels(of z: Plane) -> Plane {
        let raw = pool.plane(z.height, z.width, z.channels)
        for pixel in 0..<z.rows {
            for channel in 0..<z.channels {
                let index = channel * z.rows + pixel
                let at = pixel * z.channels + channel
                raw.data[at] = z.data[at] * deviation[index] + mean[index]
            }
        }
        return decoder(raw, pool)
    }
}

/// The networks of a ReVQ model as its files give them.
struct ReVQParts {
    let encoder: DCAEEncoder
    let decoder: DCAEDecoder
    /// `nil`: identity.
    let rectifier: DCAEDecoder?
    let mean: [Float]
    let deviation: [Float]
    let codebooks: Codebooks
}
