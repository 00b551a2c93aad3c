import Checkpoint
import Tensor
import TokenizerCore

/// SFTok's ViT encoder: 256x256 pixels -> N latent vectors (arXiv 2512.16910, section 3; TiTok's encoder).
final class SFTokEncoder {
    let width: Int
    let latents: Int
    let tokenWidth: Int
    let grid: Int
    let patch: Int
    private let patchEmbedding: Linear
    /// (grid * grid, width): what is added to the patch embeddings.
    private let patchPositions: FloatBuffer
    /// (width): the class vector with its position.
    private let classVector: FloatBuffer
    /// (latents, width): latent tokens with their positions.
    private let latentVectors: FloatBuffer
    private let normBefore: Affine
    private let transformer: Transformer
    private let normAfter: Affine
    private let output: Linear

    init(_ root: LayerScope) throws {
        let scope = root.scope("encoder")
        let patchShape = try scope.dimensions("patch_embed.weight", rank: 4)
        (width, patch) = (patchShape[0], patchShape[2])
        grid = Int(Double(try scope.dimensions("positional_embedding", rank: 2)[0] - 1).squareRoot())
        let cells = grid * grid
        latents = try root.dimensions("latent_tokens", rank: 2)[0]
        tokenWidth = try scope.dimensions("conv_out.weight", rank: 4)[0]
        let (width, patch, latents) = (width, patch, latents)
        patchEmbedding = try scope.linear("patch_embed", inputs: 3 * patch * patch, outputs: width) {
            try Linear(
                inputs: 3 * patch * patch, outputs: width,
                weight: try scope.buffer("patch_embed.weight", [width, 3, patch, patch]),
                bias: try scope.buffer("patch_embed.bias", [width]), arithmetic: scope.arithmetic)
        }
        classVector = try scope.numbers("class_embedding", count: width) {
            let vector = try scope.buffer("class_embedding", [1, width])
            vector.add(try scope.buffer("positional_embedding", [cells + 1, width]), from: 0)
            return vector
        }
        patchPositions = try scope.numbers("positional_embedding", count: cells * width) {
            try scope.buffer("positional_embedding", [cells + 1, width]).part(width, cells * width)
        }
        latentVectors = try root.numbers("latent_tokens", count: latents * width) {
            let vectors = try root.buffer("latent_tokens", [latents, width])
            vectors.add(try scope.buffer("latent_token_positional_embedding", [latents, width]), from: 0)
            return vectors
        }
        normBefore = try scope.affine("ln_pre", width: width)
        transformer = try Transformer(scope.scope("transformer"), width: width)
        normAfter = try scope.affine("ln_post", width: width)
        output = try scope.exact.linear("conv_out", inputs: width, outputs: tokenWidth, pointwise: true)
    }

    var depth: Int { transformer.depth }
    var imageSize: Int { grid * patch }

    /// image (size, size), 8-bit -> features (latents, tokenWidth), before quantization.
    func callAsFunction(_ image: RGBImage, _ pool: ScratchPool) -> Plane {
        let cells = grid * grid
        let x = pool.plane(1 + cells + latents, 1, width)
        x.data.update(from: classVector.data, count: width)
        (x.data + width).update(from: patchPositions.data, count: cells * width)
        let patches = patches(Pixels.plane(image, scale: 1, offset: 0, pool), pool)
        patchEmbedding.run(
            pool.activations(patches, as: patchEmbedding.arithmetic), to: x.data + width, adds: true)
        (x.data + (1 + cells) * width).update(from: latentVectors.data, count: latents * width)
        normBefore.layerNorm(x.data, rows: x.rows, eps: 1e-5, to: x.data)
        let z = transformer(x, rows: Array((1 + cells)..<x.rows), pool)
        normAfter.layerNorm(z.data, rows: latents, eps: 1e-5, to: z.data)
        return output(reread(z, pool), pool)
    }

    /// (cells, 3 * patch * patch): each patch in (channel, row, column) order.
    private func patches(_ pixels: Plane, _ pool: ScratchPool) -> Plane {
        let out = pool.plane(grid * grid, 1, 3 * patch * patch)
        for cell in 0..<grid * grid {
            let (top, left) = (cell / grid * patch, cell % grid * patch)
            var target = out.data + cell * out.channels
            for channel in 0..<3 {
                for row in 0..<patch {
                    let source = pixels.data + ((top + row) * pixels.width + left) * 3 + channel
                    for column in 0..<patch { target[column] = source[column * 3] }
                    target += patch
                }
            }
        }
        return out
    }

    /// The released weights were trained with the (latents, width) block read as (width, latents), without a transpose:
    /// vector n of the result holds numbers n, n + latents, n + 2 latents … of the block.
    private func reread(_ z: Plane, _ pool: ScratchPool) -> Plane {
        let out = pool.plane(latents, 1, width)
        for latent in 0..<latents {
            for index in 0..<width { out.data[latent * width + index] = z.data[index * latents + latent] }
        }
        return out
    }
}

extension FloatBuffer {
    /// self += other[from ..< from + count].
    borrowing func add(_ other: borrowing FloatBuffer, from start: Int) {
        precondition(start + count <= other.count)
        for index in 0..<count { data[index] += other.data[start + index] }
    }
}
