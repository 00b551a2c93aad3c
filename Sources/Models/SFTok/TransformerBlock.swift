import Checkpoint
import Tensor

/// Pre-norm attention and MLP with heads of 64 (arXiv 2512.16910; a ViT block).
final class TransformerBlock {
    static let headWidth = 64

    private let width: Int
    /// What makes queries, keys and values.
    private enum Projection {
        case joined(Linear)
        /// For a block of which only some rows are read: keys and values need all of them, queries don't.
        case apart(query: Linear, others: Linear)
    }

    private let attentionNorm: Affine
    private let projection: Projection
    private let attentionOut: Linear
    private let mlpNorm: Affine
    private let mlpIn: Linear
    private let mlpOut: Linear

    /// - Parameter readsAll: whether all rows of what it makes are read.
    init(_ scope: LayerScope, width: Int, readsAll: Bool) throws {
        self.width = width
        attentionNorm = try scope.affine("ln_1", width: width)
        projection = try Self.projection(scope, width: width, readsAll: readsAll)
        attentionOut = try scope.linear("attn.out_proj", inputs: width, outputs: width)
        mlpNorm = try scope.affine("ln_2", width: width)
        mlpIn = try scope.linear("mlp.c_fc", inputs: width, outputs: 4 * width)
        mlpOut = try scope.linear("mlp.c_proj", inputs: 4 * width, outputs: width)
    }

    private static func projection(_ scope: LayerScope, width: Int, readsAll: Bool) throws -> Projection {
        /// Of queries, keys and values, `count` from `first` on.
        func some(_ name: String, _ first: Int, _ count: Int) throws -> Linear {
            try scope.linear(name, inputs: width, outputs: count * width) {
                let weight = try scope.buffer("attn.in_proj_weight", [3 * width, width])
                let bias = try scope.buffer("attn.in_proj_bias", [3 * width])
                return try Linear(
                    inputs: width, outputs: count * width,
                    weight: weight.part(first * width * width, count * width * width),
                    bias: bias.part(first * width, count * width), arithmetic: scope.arithmetic)
            }
        }
        guard readsAll else {
            return .apart(query: try some("attn.in_proj.query", 0, 1), others: try some("attn.in_proj.others", 1, 2))
        }
        let all = try scope.linear("attn.in_proj", inputs: width, outputs: 3 * width) {
            try Linear(
                inputs: width, outputs: 3 * width, weight: try scope.buffer("attn.in_proj_weight", [3 * width, width]),
                bias: try scope.buffer("attn.in_proj_bias", [3 * width]), arithmetic: scope.arithmetic)
        }
        return .joined(all)
    }

    /// x (L, width) -> (rows.count, width): only what is read of the output is computed.
    ///
    /// - Parameter rows: `nil`: all, and the result is x itself.
    func callAsFunction(_ x: Plane, rows: [Int]?, kept: KeptProjection?, _ pool: ScratchPool) -> Plane {
        let attended = attend(x, rows: rows, kept, pool)
        let y = rows.map { x.rows($0, pool) } ?? x
        attentionOut.run(attended, to: y, adds: true)
        let normed = mlpNorm.layerNorm(y, eps: 1e-5, as: arithmetic, pool)
        mlpOut.run(mlpIn(normed, pool, activation: .gelu), to: y, adds: true)
        return y
    }

    private func attend(_ x: Plane, rows: [Int]?, _ kept: KeptProjection?, _ pool: ScratchPool) -> Activations {
        switch projection {
        case .joined(let all):
            precondition(rows == nil)
            return pool.attention(qkv: project(x, by: all, kept, pool))
        case .apart(let query, let others):
            let normed = norm(x, pool)
            let queries = rows.map { normed.rows($0, pool) } ?? normed
            return pool.attention(queries: query(queries, pool), others: others(normed, pool))
        }
    }

    private func project(_ x: Plane, by all: Linear, _ kept: KeptProjection?, _ pool: ScratchPool) -> Activations {
        guard let kept else { return all(norm(x, pool), pool) }
        if let earlier = kept.qkv, let changed = kept.changed {
            if !changed.isEmpty { earlier.replace(changed, by: all(norm(x.rows(changed, pool), pool), pool)) }
            return earlier
        }
        let qkv = all(norm(x, pool), pool)
        kept.qkv = qkv
        return qkv
    }

    private func norm(_ x: Plane, _ pool: ScratchPool) -> Activations {
        attentionNorm.layerNorm(x, eps: 1e-5, as: arithmetic, pool)
    }

    private var arithmetic: Compute.Arithmetic { attentionOut.arithmetic }
}

/// Queries, keys and values of a stack's first block, which follow from each row alone: from one pass to the next only
/// those of rows that have changed are computed.
final class KeptProjection {
    fileprivate var qkv: Activations?
    /// Rows that aren't those of the last pass; `nil`: any.
    var changed: [Int]?
}

/// A stack of blocks of which only some rows of the last are read.
final class Transformer {
    private let blocks: [TransformerBlock]

    /// Reads `0`, `1`, … under `scope`; depth from the names.
    init(_ scope: LayerScope, width: Int) throws {
        let indices = try scope.blockIndices("")
        guard !indices.isEmpty else { throw ModelError.structure("\(scope.prefix)*: there are no blocks") }
        guard width % TransformerBlock.headWidth == 0 else {
            throw ModelError.structure("\(scope.prefix)*: width \(width) is not a multiple of 64, a head's width")
        }
        blocks = try indices.map {
            try TransformerBlock(
                scope.scope(String($0)), width: width, readsAll: $0 != indices[indices.count - 1])
        }
    }

    var depth: Int { blocks.count }

    /// Overwrites x (L, width); returns (rows.count, width).
    func callAsFunction(_ x: Plane, rows: [Int], kept: KeptProjection? = nil, _ pool: ScratchPool) -> Plane {
        var x = x
        for (index, block) in blocks.enumerated() {
            x = block(x, rows: index == blocks.count - 1 ? rows : nil, kept: index == 0 ? kept : nil, pool)
        }
        return x
    }
}
