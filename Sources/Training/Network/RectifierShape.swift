/// Sizes of a rectifier: a DC-AE decoder of one stage of EfficientViT blocks (arXiv 2410.10733) that takes a normalised
/// latent of codes and gives a normalised latent of the same shape (arXiv 2507.10547, section 3.3).
package struct RectifierShape: Sendable, Equatable {
    /// Of the latent.
    package var channels: Int
    package var height: Int
    package var width: Int
    /// Channels inside: a multiple of 32, a head, and of `channels`.
    package var features: Int
    package var layers: Int

    package init(channels: Int, height: Int, width: Int, features: Int, layers: Int) {
        self.channels = channels
        self.height = height
        self.width = width
        self.features = features
        self.layers = layers
    }

    var pixels: Int { height * width }
    var numbers: Int { pixels * channels }
    /// Channels of the gated convolution's first half and second half together.
    var hidden: Int { 8 * features }
    /// Edge of the second scale's depthwise kernel.
    static let scale = 5
    static let epsilon: Float = 1e-5
}

/// One tensor of the rectifier within the flat array of all.
struct Parameter: Sendable {
    /// How its numbers lie in the flat array, against PyTorch's order.
    enum Order: Sendable {
        case same
        /// (outputs, inputs, k, k) as (outputs, k, k, inputs).
        case inputsLast
        /// (channels, 1, k, k) as (k, k, channels).
        case channelsLast
    }

    /// How it starts: PyTorch's default for a convolution or linear layer of that fan-in, or a constant.
    enum Start: Sendable {
        case uniform(fanIn: Int)
        case constant(Float)
    }

    /// The checkpoint's name, without `decoder.`.
    let name: String
    /// PyTorch's.
    let shape: [Int]
    let order: Order
    let start: Start
    let offset: Int

    var count: Int { shape.reduce(1, *) }

    /// Where PyTorch's number `index` lies, from `offset`.
    func position(_ index: Int) -> Int {
        switch order {
        case .same: return index
        case .inputsLast:
            let taps = shape[2] * shape[3], inputs = shape[1]
            let (tap, input, output) = (index % taps, index / taps % inputs, index / taps / inputs)
            return (output * taps + tap) * inputs + input
        case .channelsLast:
            let taps = shape[2] * shape[3]
            return index % taps * shape[0] + index / taps
        }
    }
}

/// All tensors of a rectifier, one after the other.
struct ParameterTable: Sendable {
    private(set) var parameters: [Parameter] = []
    private(set) var count = 0
    /// Offsets by layer, and of the two ends.
    private(set) var layers: [LayerOffsets] = []
    private(set) var input = ConvolutionOffsets(weight: 0, bias: 0)
    private(set) var norm = NormOffsets(gain: 0, bias: 0)
    private(set) var output = ConvolutionOffsets(weight: 0, bias: 0)

    struct ConvolutionOffsets: Sendable {
        let weight: Int
        let bias: Int
    }

    struct NormOffsets: Sendable {
        let gain: Int
        let bias: Int
    }

    struct LayerOffsets: Sendable {
        /// (3 * features, features): queries, keys, values.
        let qkv: Int
        /// (5, 5, 3 * features).
        let aggregate: Int
        /// (3 * features, 32).
        let grouped: Int
        /// (features, 2 * features).
        let attended: Int
        let attendedNorm: NormOffsets
        /// (hidden, features).
        let inverted: ConvolutionOffsets
        /// (3, 3, hidden).
        let depthwise: ConvolutionOffsets
        /// (features, hidden / 2).
        let point: Int
        let pointNorm: NormOffsets
    }

    init(_ shape: RectifierShape) {
        let width = shape.features, hidden = shape.hidden
        input = convolution("conv_in", outputs: width, inputs: shape.channels)
        for layer in 0..<shape.layers {
            let p = "up_blocks.0.\(layer)."
            let qkv = count
            for name in ["to_q", "to_k", "to_v"] { add("\(p)attn.\(name).weight", [width, width], fanIn: width) }
            let scale = "\(p)attn.to_qkv_multiscale.0."
            let taps = RectifierShape.scale
            layers.append(
                LayerOffsets(
                    qkv: qkv,
                    aggregate: add(
                        scale + "proj_in.weight", [3 * width, 1, taps, taps], .channelsLast, fanIn: taps * taps),
                    grouped: add(scale + "proj_out.weight", [3 * width, 32, 1, 1], fanIn: 32),
                    attended: add("\(p)attn.to_out.weight", [width, 2 * width], fanIn: 2 * width),
                    attendedNorm: norm("\(p)attn.norm_out", width),
                    inverted: ConvolutionOffsets(
                        weight: add("\(p)conv_out.conv_inverted.weight", [hidden, width, 1, 1], fanIn: width),
                        bias: add("\(p)conv_out.conv_inverted.bias", [hidden], fanIn: width)),
                    depthwise: ConvolutionOffsets(
                        weight: add("\(p)conv_out.conv_depth.weight", [hidden, 1, 3, 3], .channelsLast, fanIn: 9),
                        bias: add("\(p)conv_out.conv_depth.bias", [hidden], fanIn: 9)),
                    point: add("\(p)conv_out.conv_point.weight", [width, hidden / 2, 1, 1], fanIn: hidden / 2),
                    pointNorm: norm("\(p)conv_out.norm", width)))
        }
        norm = norm("norm_out", width)
        output = convolution("conv_out", outputs: shape.channels, inputs: width)
    }

    @discardableResult
    private mutating func add(_ name: String, _ shape: [Int], _ order: Parameter.Order = .same, fanIn: Int) -> Int {
        add(Parameter(name: name, shape: shape, order: order, start: .uniform(fanIn: fanIn), offset: count))
    }

    private mutating func add(_ parameter: Parameter) -> Int {
        parameters.append(parameter)
        count += parameter.count
        return parameter.offset
    }

    private mutating func convolution(_ name: String, outputs: Int, inputs: Int) -> ConvolutionOffsets {
        ConvolutionOffsets(
            weight: add(name + ".weight", [outputs, inputs, 3, 3], .inputsLast, fanIn: 9 * inputs),
            bias: add(name + ".bias", [outputs], fanIn: 9 * inputs))
    }

    private mutating func norm(_ name: String, _ width: Int) -> NormOffsets {
        NormOffsets(
            gain: add(
                Parameter(name: name + ".weight", shape: [width], order: .same, start: .constant(1), offset: count)),
            bias: add(
                Parameter(name: name + ".bias", shape: [width], order: .same, start: .constant(0), offset: count)))
    }
}
