import Checkpoint
import Tensor

/// Pre-norm attention and MLP with heads of 64 (arXiv 2512.16910; a ViT block).
final class TransformerBlock {
    static let headWidth = 64

    private let width: Int
    private let attentionNorm: Affine
    private let attentionIn: Linear
    private let attentionOut: Linear
    private let mlpNorm: Affine
    private let mlpIn: Linear
    private let mlpOut: Linear

    init(_ scope: TensorScope, width: Int) throws {
        self.width = width
        attentionNorm = try scope.affine("ln_1", width: width)
        attentionIn = Linear(
            inputs: width, outputs: 3 * width,
            weight: try scope.buffer("attn.in_proj_weight", [3 * width, width]),
            bias: try scope.buffer("attn.in_proj_bias", [3 * width]))
        attentionOut = try scope.linear("attn.out_proj", inputs: width, outputs: width)
        mlpNorm = try scope.affine("ln_2", width: width)
        mlpIn = try scope.linear("mlp.c_fc", inputs: width, outputs: 4 * width)
        mlpOut = try scope.linear("mlp.c_proj", inputs: 4 * width, outputs: width)
    }

    /// x (L, width) -> (rows.count, width): only what is read of the output is computed. In place where rows is all.
    func callAsFunction(_ x: Plane, rows: Range<Int>, _ pool: ScratchPool) -> Plane {
        let all = rows.count == x.rows
        let attended = attend(x, rows: rows, pool)
        let y = all ? x : pool.plane(rows.count, 1, width)
        attentionOut.run(
            .init(attended), rows: rows.count, to: .init(y), residual: .init(x, row: rows.lowerBound))
        let hidden = mlpIn(mlpNorm.layerNorm(y, eps: 1e-5, pool), pool, activation: .gelu)
        mlpOut.run(.init(hidden), rows: rows.count, to: .init(y), residual: .init(y))
        return y
    }

    private func attend(_ x: Plane, rows: Range<Int>, _ pool: ScratchPool) -> Plane {
        let normed = attentionNorm.layerNorm(x, eps: 1e-5, pool)
        let qkv = pool.plane(x.rows, 1, 3 * width)
        if rows.count == x.rows {
            attentionIn.run(.init(normed), rows: x.rows, to: .init(qkv))
        } else {
            attentionIn.run(
                .init(normed), rows: x.rows, to: .init(qkv, column: width), outputs: width..<3 * width)
            attentionIn.run(
                .init(normed, row: rows.lowerBound), rows: rows.count, to: .init(qkv, row: rows.lowerBound),
                outputs: 0..<width)
        }
        return pool.attention(qkv: qkv, queries: rows)
    }
}

/// A stack of blocks of which only some rows of the last are read.
final class Transformer {
    private let blocks: [TransformerBlock]

    /// Reads `0`, `1`, … under `scope`; depth from the names.
    init(_ scope: TensorScope, width: Int) throws {
        let indices = try scope.blockIndices("")
        guard !indices.isEmpty else { throw ModelError.structure("\(scope.prefix)*: there are no blocks") }
        guard width % TransformerBlock.headWidth == 0 else {
            throw ModelError.structure("\(scope.prefix)*: width \(width) is not a multiple of 64, a head's width")
        }
        blocks = try indices.map { try TransformerBlock(scope.scope(String($0)), width: width) }
    }

    var depth: Int { blocks.count }

    /// Overwrites x (L, width); returns (rows.count, width).
    func callAsFunction(_ x: Plane, rows: Range<Int>, _ pool: ScratchPool) -> Plane {
        var x = x
        for (index, block) in blocks.enumerated() {
            x = block(x, rows: index == blocks.count - 1 ? rows : 0..<x.rows, pool)
        }
        return x
    }
}
