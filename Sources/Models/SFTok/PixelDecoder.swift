import Checkpoint
import Tensor

/// The MaskGIT-VQGAN decoder: (side, side, 256) -> (16 side, 16 side, 3), about [0, 1] (arXiv 2202.04200).
final class PixelDecoder {
    private struct Stage {
        var blocks: [ResidualBlock]
        var upsampling: UpsamplingConvolution?
    }

    private let input: Convolution
    private let middle: [ResidualBlock]
    /// From the smallest to the largest image.
    private var stages: [Stage] = []
    private let outputNorm: Affine
    private let output: Convolution

    /// - Parameters:
    ///   - side: rows and columns of the latent.
    ///   - size: of the image; the stages must make it.
    init(_ scope: LayerScope, latentWidth: Int, side: Int, size: Int) throws {
        var width = try scope.dimensions("conv_in.weight", rank: 4)[0]
        input = try scope.convolution(
            "conv_in", .init(inputs: latentWidth, outputs: width, height: side, width: side))
        middle = try scope.blockIndices("mid").map {
            try ResidualBlock(scope.scope("mid.\($0)"), inputs: width, side: side)
        }
        var side = side
        for stage in try scope.blockIndices("up").reversed() {
            var blocks: [ResidualBlock] = []
            for index in try scope.blockIndices("up.\(stage).block") {
                let block = try ResidualBlock(scope.scope("up.\(stage).block.\(index)"), inputs: width, side: side)
                width = block.outputs
                blocks.append(block)
            }
            var upsampling: UpsamplingConvolution?
            if stage > 0 {
                upsampling = try scope.upsampling(
                    "up.\(stage).upsample_conv", inputs: width, outputs: width, height: side, width: side)
                side *= 2
                guard side <= size else { break }
            }
            stages.append(Stage(blocks: blocks, upsampling: upsampling))
        }
        guard side == size else {
            throw ModelError.structure("\(scope.prefix)up.*: the stages make \(side) pixels or more, expected \(size)")
        }
        outputNorm = try scope.groupNorm("norm_out", width: width)
        output = try scope.convolution("conv_out", .init(inputs: width, outputs: 3, height: side, width: side))
    }

    func callAsFunction(_ z: Plane, _ pool: ScratchPool) -> Plane {
        var x = input(z, pool)
        for block in middle { x = block(x, pool) }
        for stage in stages {
            for block in stage.blocks { x = block(x, pool) }
            if let upsampling = stage.upsampling { x = upsampling(x, shortcut: false, pool) }
        }
        return output(outputNorm.groupNormSiLU(x, pool), pool)
    }
}

/// GroupNorm, SiLU, convolution, twice, and a shortcut.
///
/// Where channels change, the released code takes the shortcut from the branch's own output: h + N h, N a 1x1
/// convolution without bias. The second convolution has none either, so (1 + N) is folded into its weights.
private final class ResidualBlock {
    let outputs: Int
    private let changesWidth: Bool
    private let norm1: Affine
    private let conv1: Convolution
    private let norm2: Affine
    private let conv2: Convolution

    init(_ scope: LayerScope, inputs: Int, side: Int) throws {
        outputs = try scope.dimensions("conv1.weight", rank: 4)[0]
        changesWidth = scope.has("nin_shortcut.weight")
        guard changesWidth || inputs == outputs else {
            throw ModelError.structure(
                "\(scope.prefix)nin_shortcut.weight: missing, needed where \(inputs) channels become \(outputs)")
        }
        norm1 = try scope.groupNorm("norm1", width: inputs)
        conv1 = try scope.convolution(
            "conv1", .init(inputs: inputs, outputs: outputs, height: side, width: side), bias: false)
        norm2 = try scope.groupNorm("norm2", width: outputs)
        let shape = Convolution.Shape(inputs: outputs, outputs: outputs, height: side, width: side)
        let (outputs, changesWidth) = (outputs, changesWidth)
        conv2 = try scope.convolution("conv2", shape, accumulate: !changesWidth) {
            var weight = try scope.buffer("conv2.weight", [outputs, outputs, 3, 3])
            if changesWidth {
                let shortcut = try scope.buffer("nin_shortcut.weight", [outputs, outputs, 1, 1])
                weight = ResidualBlock.fold(shortcut, into: weight, outputs: outputs)
            }
            return try Convolution(
                shape, weight: weight, bias: nil, accumulate: !changesWidth, arithmetic: scope.arithmetic)
        }
    }

    /// (1 + shortcut) * weight over output channels.
    private static func fold(
        _ shortcut: borrowing FloatBuffer, into weight: borrowing FloatBuffer, outputs: Int
    ) -> FloatBuffer {
        let each = weight.count / outputs
        let folded = FloatBuffer(count: weight.count)
        folded.data.update(from: weight.data, count: weight.count)
        for output in 0..<outputs {
            let target = folded.data + output * each
            for input in 0..<outputs {
                let factor = shortcut.data[output * outputs + input]
                let source = weight.data + input * each
                for index in 0..<each { target[index] += factor * source[index] }
            }
        }
        return folded
    }

    /// x -> (h, w, outputs); in place where the width stays.
    func callAsFunction(_ x: Plane, _ pool: ScratchPool) -> Plane {
        let h = norm2.groupNormSiLU(conv1(norm1.groupNormSiLU(x, pool), pool), pool)
        if changesWidth { return conv2(h, pool) }
        conv2.run(h, to: x, pool)
        return x
    }
}
