import Checkpoint
import Tensor

/// SFTok's multi-step decoder: tokens -> logits over proxy codes of every grid position (arXiv 2512.16910, section 3).
final class SFTokDecoder {
    let width: Int
    /// Positions of the grid, 256.
    let proxies: Int
    /// Proxy codes, 1024; the mask has the id after the last.
    let proxyCodes: Int
    private let tokenWidth: Int
    private let latents: Int
    /// (1 + proxies, width): class and positions.
    private let positions: FloatBuffer
    /// (proxyCodes + 1, width).
    private let embedding: FloatBuffer
    private let conditionPositions: FloatBuffer
    private let conditionEmbedding: Linear
    private let normBefore: Affine
    private let transformer: Transformer
    private let normAfter: Affine
    private let hidden: Linear
    private let output: Linear

    init(_ scope: LayerScope, latents: Int, tokenWidth: Int) throws {
        self.latents = latents
        self.tokenWidth = tokenWidth
        // The name before the authors renamed it.
        let old = "embedding_positional_embedding"
        let name = scope.has(old) ? old : "learnable_embedding_positional_embedding"
        let shape = try scope.dimensions("learnable_embedding.weight", rank: 2)
        width = shape[1]
        proxyCodes = shape[0] - 1
        proxies = try scope.dimensions(name, rank: 2)[0] - 1
        guard proxyCodes > 0, proxies > 0 else {
            throw ModelError.structure("\(scope.prefix)*: no proxy codes or no grid positions: \(shape)")
        }
        let (width, proxies) = (width, proxies)
        positions = try scope.numbers("positions", count: (proxies + 1) * width) {
            let positions = try scope.buffer(name, [proxies + 1, width])
            let classVector = try scope.buffer("class_embedding", [1, width])
            // By its pointer: the compiler crashes on `positions.data[index] +=` here under ThreadSanitizer (Swift
            // 6.3).
            let first = positions.data
            for index in 0..<width { first[index] += classVector.data[index] }
            return positions
        }
        embedding = try scope.numbers("learnable_embedding.weight", [proxyCodes + 1, width])
        conditionPositions = try scope.numbers("condition_positional_embedding", [latents, width])
        conditionEmbedding = try scope.exact.linear("decoder_embed", inputs: tokenWidth, outputs: width)
        normBefore = try scope.affine("ln_pre", width: width)
        transformer = try Transformer(scope.scope("transformer"), width: width)
        normAfter = try scope.affine("ln_post", width: width)
        hidden = try scope.linear("ffn.0", inputs: width, outputs: 2 * width, pointwise: true)
        output = try scope.linear("ffn.2", inputs: 2 * width, outputs: proxyCodes, pointwise: true)
    }

    var depth: Int { transformer.depth }
    var maskID: Int32 { Int32(proxyCodes) }

    /// Codes (latents, tokenWidth) of unit length -> what every step appends, (latents, width).
    func condition(_ codes: Plane, _ pool: ScratchPool) -> Plane {
        let y = pool.plane(latents, 1, width)
        y.data.update(from: conditionPositions.data, count: y.count)
        conditionEmbedding.run(.float32(codes), to: y, adds: true)
        return y
    }

    /// What the passes of one reconstruction hand on.
    final class Passes {
        fileprivate var ids: [Int32] = []
        fileprivate let projection = KeptProjection()
    }

    /// One pass. ids (proxies), `maskID` where masked -> logits (chosen.count, proxyCodes).
    ///
    /// - Parameters:
    ///   - chosen: positions whose logits are read.
    ///   - passes: of the same condition.
    func logits(
        _ ids: [Int32], condition: Plane, chosen: [Int], _ passes: Passes, _ pool: ScratchPool
    ) -> Plane {
        precondition(ids.count == proxies)
        let x = pool.plane(1 + proxies + latents, 1, width)
        x.data.update(from: positions.data, count: (1 + proxies) * width)
        for (position, id) in ids.enumerated() {
            let target = x.data + (1 + position) * width
            let source = embedding.data + Int(id) * width
            for index in 0..<width { target[index] += source[index] }
        }
        (x.data + (1 + proxies) * width).update(from: condition.data, count: latents * width)
        normBefore.layerNorm(x.data, rows: x.rows, eps: 1e-5, to: x.data)
        passes.projection.changed = passes.ids.isEmpty ? nil : changes(from: passes.ids, to: ids).map { 1 + $0 }
        passes.ids = ids
        let y = transformer(x, rows: chosen.map { 1 + $0 }, kept: passes.projection, pool)
        let normed = normAfter.layerNorm(y, eps: 1e-5, as: hidden.arithmetic, pool)
        let logits = pool.plane(chosen.count, 1, proxyCodes)
        output.run(hidden(normed, pool, activation: .tanh), to: logits)
        return logits
    }

    private func changes(from earlier: [Int32], to ids: [Int32]) -> [Int] {
        Self.filled(ids.indices.filter { ids[$0] != earlier[$0] }, of: proxies)
    }

    /// Of positions 0 ..< `count`, those given and, so that products come in few sizes, some more: a multiple of 32, or
    /// all. Ascending.
    static func filled(_ positions: [Int], of count: Int) -> [Int] {
        let wanted = min(count, (positions.count + 31) / 32 * 32)
        guard wanted > positions.count else { return positions }
        let given = Set(positions)
        return (positions + (0..<count).lazy.filter { !given.contains($0) }.prefix(wanted - positions.count)).sorted()
    }
}
