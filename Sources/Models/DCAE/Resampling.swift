import Checkpoint
import Tensor

/// Halves the image: a strided 3x3 convolution ("conv"), or a plain one and pixel-unshuffle ("pixel_unshuffle").
/// The shortcut averages groups of the unshuffled input's channels.
final class DownBlock: AutoencoderBlock {
    private let convolution: Convolution
    private let strided: Bool
    private let shortcut: Bool

    /// - Parameter outputs: channels the next block takes; with the weight's shape it tells which kind this is.
    init(_ scope: LayerScope, _ extent: Extent, outputs: Int, shortcut: Bool) throws {
        let found = try scope.dimensions("conv.weight", rank: 4)
        guard found[0] == outputs || found[0] * 4 == outputs else {
            throw ModelError.structure(
                "\(scope.prefix)conv.weight: shape \(found), expected \(outputs) outputs (strided) or "
                    + "\(outputs / 4) (pixel-unshuffle), for the next block takes \(outputs) channels")
        }
        strided = found[0] == outputs
        self.shortcut = shortcut
        let shape = Convolution.Shape(
            inputs: extent.channels, outputs: strided ? outputs : outputs / 4, height: extent.height,
            width: extent.width, stride: strided ? 2 : 1)
        guard !shortcut || (4 * extent.channels) % outputs == 0 else {
            throw ModelError.structure(
                "\(scope.prefix)conv.weight: \(4 * extent.channels) unshuffled channels can't be averaged to \(outputs)"
            )
        }
        convolution = try scope.convolution("conv", shape)
    }

    func callAsFunction(_ x: Plane, _ pool: ScratchPool) -> Plane {
        let y = strided ? convolution(x, pool) : convolution(x, pool).pixelUnshuffled(pool)
        if shortcut { y.addUnshuffledMeans(of: x) }
        return y
    }
}

/// Doubles the image: nearest-neighbour and a 3x3 convolution ("interpolate"), or a convolution and pixel-shuffle
/// ("pixel_shuffle"). The shortcut repeats channels and shuffles them.
final class UpBlock: AutoencoderBlock {
    private enum Kind {
        case interpolate(UpsamplingConvolution)
        case shuffle(Convolution)
    }

    private let kind: Kind
    private let shortcut: Bool

    /// - Parameter outputs: channels the next block takes; with the weight's shape it tells which kind this is.
    init(_ scope: LayerScope, _ extent: Extent, outputs: Int, shortcut: Bool) throws {
        let found = try scope.dimensions("conv.weight", rank: 4)
        self.shortcut = shortcut
        guard !shortcut || (outputs * 4) % extent.channels == 0 else {
            throw ModelError.structure(
                "\(scope.prefix)conv.weight: \(extent.channels) channels can't be repeated to 4 x \(outputs)")
        }
        switch found[0] {
        case outputs:
            kind = .interpolate(
                try scope.upsampling(
                    "conv", inputs: extent.channels, outputs: outputs, height: extent.height, width: extent.width))
        case outputs * 4:
            kind = .shuffle(
                try scope.convolution(
                    "conv",
                    .init(inputs: extent.channels, outputs: 4 * outputs, height: extent.height, width: extent.width)))
        default:
            throw ModelError.structure(
                "\(scope.prefix)conv.weight: shape \(found), expected \(outputs) outputs (interpolate) or "
                    + "\(4 * outputs) (pixel-shuffle), for the next block takes \(outputs) channels")
        }
    }

    func callAsFunction(_ x: Plane, _ pool: ScratchPool) -> Plane {
        switch kind {
        case .interpolate(let convolution): convolution(x, shortcut: shortcut, pool)
        case .shuffle(let convolution): convolution(x, pool).pixelShuffled(shortcut: shortcut ? x : nil, pool)
        }
    }
}
