import Checkpoint
import Tensor

/// What a stage of DC-AE is made of (arXiv 2410.10733): told apart by their tensors' names.
protocol AutoencoderBlock: AnyObject {
    /// May overwrite x.
    func callAsFunction(_ x: Plane, _ pool: ScratchPool) -> Plane
}

/// The size of the image and its channels between two blocks.
struct Extent: Equatable, CustomStringConvertible {
    var height: Int
    var width: Int
    var channels: Int

    var count: Int { height * width * channels }
    var description: String { "\(height) x \(width) x \(channels)" }
}

/// x + norm(conv2(silu(conv1 x))).
final class ResBlock: AutoencoderBlock {
    private let conv1: Convolution
    private let conv2: Convolution
    private let norm: Affine

    init(_ scope: LayerScope, _ extent: Extent) throws {
        let shape = Convolution.Shape(
            inputs: extent.channels, outputs: extent.channels, height: extent.height, width: extent.width)
        conv1 = try scope.convolution("conv1", shape, activation: .silu)
        conv2 = try scope.convolution("conv2", shape, bias: false)
        norm = try scope.affine("norm", width: extent.channels)
    }

    func callAsFunction(_ x: Plane, _ pool: ScratchPool) -> Plane {
        let y = conv2(conv1(x, pool), pool)
        norm.rmsNorm(inPlace: y, residual: x)
        return y
    }
}

/// Multi-scale linear attention, then a gated inverted-bottleneck convolution.
final class EfficientViTBlock: AutoencoderBlock {
    private struct Scale {
        let depthwise: DepthwiseConvolution
        /// (3 * inner, 32): groups of 32 channels.
        let grouped: Linear32
    }

    private let inner: Int
    private let query: Linear
    private let scales: [Scale]
    private let output: Linear
    private let outputNorm: Affine
    private let inverted: Linear
    private let depthwise: DepthwiseConvolution
    private let point: Linear
    private let pointNorm: Affine

    init(_ scope: LayerScope, _ extent: Extent) throws {
        let channels = extent.channels
        let attention = scope.scope("attn").unquantized
        let inner = try attention.dimensions("to_q.weight", rank: 2)[0]
        guard inner % 32 == 0 else {
            throw ModelError.structure(
                "\(attention.prefix)to_q.weight: \(inner) outputs are not a multiple of 32, a head")
        }
        self.inner = inner
        query = try attention.linear("to_qkv", inputs: channels, outputs: 3 * inner) {
            let joined = FloatBuffer(count: 3 * inner * channels)
            for (index, name) in ["to_q", "to_k", "to_v"].enumerated() {
                let part = try attention.buffer(name + ".weight", [inner, channels])
                (joined.data + index * inner * channels).update(from: part.data, count: inner * channels)
            }
            return try Linear(
                inputs: channels, outputs: 3 * inner, weight: joined, bias: nil, arithmetic: attention.arithmetic)
        }
        scales = try attention.childIndices("to_qkv_multiscale").map { index in
            let scale = attention.scope("to_qkv_multiscale.\(index)")
            let size = try scale.dimensions("proj_in.weight", rank: 4)[3]
            return Scale(
                depthwise: try scale.depthwise("proj_in", channels: 3 * inner, size: size, bias: false),
                grouped: Linear32(try scale.numbers("proj_out.weight", [3 * inner, 32, 1, 1])))
        }
        output = try attention.linear(
            "to_out", inputs: inner * (1 + scales.count), outputs: channels, bias: false)
        outputNorm = try attention.affine("norm_out", width: channels)
        let gated = scope.scope("conv_out")
        let hidden = try gated.dimensions("conv_inverted.weight", rank: 4)[0]
        guard hidden % 2 == 0 else {
            throw ModelError.structure("\(gated.prefix)conv_inverted.weight: \(hidden) outputs have no two halves")
        }
        inverted = try gated.linear("conv_inverted", inputs: channels, outputs: hidden, pointwise: true)
        depthwise = try gated.depthwise("conv_depth", channels: hidden, size: 3)
        // What a gate makes has a few large numbers in a row, and 8 bits lose the others.
        point = try gated.unquantized.linear(
            "conv_point", inputs: hidden / 2, outputs: channels, pointwise: true, bias: false)
        pointNorm = try gated.affine("norm", width: channels)
    }

    func callAsFunction(_ x: Plane, _ pool: ScratchPool) -> Plane {
        let attended = output(pool.linearAttention(qkv: projected(x, pool)), pool)
        outputNorm.rmsNorm(inPlace: attended, residual: x)
        let gated = depthwise(inverted(attended, pool, activation: .silu), pool).gated(pool)
        let y = point(gated, pool)
        pointNorm.rmsNorm(inPlace: y, residual: attended)
        return y
    }

    /// (h, w, 3 * inner * scales): q | k | v, then their aggregates at each further scale.
    private func projected(_ x: Plane, _ pool: ScratchPool) -> Plane {
        let single = query(x, pool)
        guard !scales.isEmpty else { return single }
        let qkv = pool.plane(x.height, x.width, 3 * inner * (1 + scales.count))
        qkv.set(single, column: 0)
        for (index, scale) in scales.enumerated() {
            let aggregated = scale.depthwise(single, pool)
            pool.groupedPointwise(
                aggregated, weight: scale.grouped.weight, into: qkv, column: 3 * inner * (1 + index))
        }
        return qkv
    }
}

/// Weights of a grouped 1x1 convolution, in a class because arrays can't hold what can't be copied.
final class Linear32 {
    let weight: FloatBuffer

    init(_ weight: consuming FloatBuffer) { self.weight = weight }
}

extension LayerScope {
    /// - Parameter bias: whether the architecture has one here.
    func depthwise(_ name: String, channels: Int, size: Int, bias: Bool = true) throws -> DepthwiseConvolution {
        let weight = try numbers(name + ".weight", [channels, 1, size, size])
        let bias = try numbers(name + ".bias", [channels], isThere: bias)
        return DepthwiseConvolution(channels: channels, size: size, weight: weight, bias: bias)
    }

    /// A ResBlock or an EfficientViTBlock under this prefix.
    func autoencoderBlock(_ extent: Extent) throws -> any AutoencoderBlock {
        if has("conv1.weight") { return try ResBlock(self, extent) }
        if has("attn.to_q.weight") { return try EfficientViTBlock(self, extent) }
        throw ModelError.structure(
            "\(prefix)*: neither a ResBlock (conv1.weight) nor an EfficientViTBlock (attn.to_q.weight)")
    }

    /// Channels that the block under this prefix takes, from its first weight.
    func inputChannels() throws -> Int {
        for name in ["conv1.weight", "attn.to_q.weight", "conv.weight"] where has(name) {
            return try dimensions(name, rank: name.hasPrefix("attn") ? 2 : 4)[1]
        }
        throw ModelError.structure("\(prefix)*: no conv1, attn.to_q or conv weight to read its channels from")
    }
}
