import Tensor

/// What a forward pass of one image leaves for its backward pass, and room for both. One thread at a time.
final class RectifierWorkspace {
    /// Activations of one block; (pixels, …) each.
    struct Layer {
        /// (6 * features): queries, keys and values as projected, then as aggregated over 5x5.
        let qkv: UnsafeMutablePointer<Float>
        /// (3 * features).
        let aggregated: UnsafeMutablePointer<Float>
        /// (2 * features).
        let attention: UnsafeMutablePointer<Float>
        /// (features), before and after the norm and the residual.
        let attended: UnsafeMutablePointer<Float>
        let middle: UnsafeMutablePointer<Float>
        /// (hidden), before and after SiLU, and after the depthwise convolution.
        let inverted: UnsafeMutablePointer<Float>
        let activated: UnsafeMutablePointer<Float>
        let depthwise: UnsafeMutablePointer<Float>
        /// (hidden / 2).
        let gated: UnsafeMutablePointer<Float>
        /// (features), before the norm and the residual.
        let point: UnsafeMutablePointer<Float>
        /// (features): the block's result.
        let output: UnsafeMutablePointer<Float>
    }

    /// (pixels, 9 * channels): windows of the input.
    let inputPatches: UnsafeMutablePointer<Float>
    /// (pixels, features): what the first block takes.
    let input: UnsafeMutablePointer<Float>
    let layers: [Layer]
    /// (pixels, features): after the last norm and ReLU.
    let last: UnsafeMutablePointer<Float>
    /// (pixels, 9 * features), and its derivative.
    let outputPatches: UnsafeMutablePointer<Float>
    let patchesGradient: UnsafeMutablePointer<Float>
    /// (pixels, channels): the codes given, the latent wanted, the latent made, the loss's derivative by it.
    let codes: UnsafeMutablePointer<Float>
    let target: UnsafeMutablePointer<Float>
    let result: UnsafeMutablePointer<Float>
    let resultGradient: UnsafeMutablePointer<Float>
    /// Derivatives: (pixels, features) three times, (hidden) twice, (hidden / 2), (6 * features), (3 * features) twice.
    let narrow: [UnsafeMutablePointer<Float>]
    let wide: [UnsafeMutablePointer<Float>]
    let gate: UnsafeMutablePointer<Float>
    let qkv: UnsafeMutablePointer<Float>
    let aggregated: [UnsafeMutablePointer<Float>]

    private let memory: FloatBuffer

    init(_ shape: RectifierShape) {
        let pixels = shape.pixels, width = shape.features, hidden = shape.hidden
        let perLayer = 6 * width + 3 * width + 2 * width + 2 * width + 3 * hidden + hidden / 2 + 2 * width
        let shared =
            9 * shape.channels + 2 * width + 18 * width + 4 * shape.channels + 3 * width + 2 * hidden + hidden / 2
            + 12 * width
        memory = FloatBuffer(count: pixels * (perLayer * shape.layers + shared))
        var next = memory.data
        func take(_ columns: Int) -> UnsafeMutablePointer<Float> {
            defer { next += pixels * columns }
            return next
        }
        inputPatches = take(9 * shape.channels)
        input = take(width)
        layers = (0..<shape.layers).map { _ in
            Layer(
                qkv: take(6 * width), aggregated: take(3 * width), attention: take(2 * width), attended: take(width),
                middle: take(width), inverted: take(hidden), activated: take(hidden), depthwise: take(hidden),
                gated: take(hidden / 2), point: take(width), output: take(width))
        }
        last = take(width)
        outputPatches = take(9 * width)
        patchesGradient = take(9 * width)
        codes = take(shape.channels)
        target = take(shape.channels)
        result = take(shape.channels)
        resultGradient = take(shape.channels)
        narrow = [take(width), take(width), take(width)]
        wide = [take(hidden), take(hidden)]
        gate = take(hidden / 2)
        qkv = take(6 * width)
        aggregated = [take(3 * width), take(3 * width)]
        assert(next == memory.data + memory.count)
    }
}
