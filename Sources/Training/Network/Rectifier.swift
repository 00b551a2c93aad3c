import CKernels
import Tensor

/// A rectifier that can learn: its parameters in one flat array, its forward pass and its backward pass, an image at a
/// time, so that a batch's images run side by side and an image's activations stay in the cache.
package final class Rectifier {
    package let shape: RectifierShape
    let table: ParameterTable
    let parameters: FloatBuffer
    /// Depthwise kernels turned by 180 degrees, of the aggregation and of the gated convolution, layer by layer.
    private let turned: FloatBuffer

    /// All parameters start as PyTorch's layers do (uniform within 1 / sqrt(fan-in)), by `seed`.
    package init(_ shape: RectifierShape, seed: UInt64) {
        precondition(shape.features % 32 == 0 && shape.features % shape.channels == 0 && shape.layers >= 1)
        self.shape = shape
        table = ParameterTable(shape)
        parameters = FloatBuffer(count: table.count)
        turned = FloatBuffer(count: shape.layers * (25 * 3 * shape.features + 9 * shape.hidden))
        for (number, parameter) in table.parameters.enumerated() {
            var random = Random(seed: seed, .rectifier, number)
            set(parameter, in: parameters.data) { _ in
                switch parameter.start {
                case .constant(let value): value
                case .uniform(let fanIn): Float((2 * random.uniform() - 1) / Double(fanIn).squareRoot())
                }
            }
        }
        parametersChanged()
    }

    /// Sets a tensor, in PyTorch's order.
    private func set(_ parameter: Parameter, in flat: UnsafeMutablePointer<Float>, _ value: (Int) -> Float) {
        for index in 0..<parameter.count {
            flat[parameter.offset + parameter.position(index)] = value(index)
        }
    }

    /// Names and shapes as in a checkpoint, values of `flat` (the parameters, or anything laid out like them).
    package func tensors(
        of flat: UnsafePointer<Float>? = nil
    ) -> [(name: String, shape: [Int], values: [Float])] {
        let flat = flat ?? UnsafePointer(parameters.data)
        return table.parameters.map { parameter in
            let values = (0..<parameter.count).map { flat[parameter.offset + parameter.position($0)] }
            return (parameter.name, parameter.shape, values)
        }
    }

    /// The other way, from tensors in PyTorch's order into `flat` (the parameters, or anything laid out like them).
    package func load<Failure: Error>(
        into flat: UnsafeMutablePointer<Float>? = nil,
        _ values: (_ name: String, _ shape: [Int]) throws(Failure) -> [Float]
    ) throws(Failure) {
        for parameter in table.parameters {
            let found = try values(parameter.name, parameter.shape)
            precondition(found.count == parameter.count)
            set(parameter, in: flat ?? parameters.data) { found[$0] }
        }
        if flat == nil { parametersChanged() }
    }

    /// Makes the whole, by construction, pass its input through but for less than a part in a thousand, so that
    /// training starts from what the codes alone give and only improves on it.
    ///
    /// Of the copies of each latent channel that the input's shortcut makes, the first stays z, the second becomes -z
    /// and the third a constant, which outweighs all else in the last norm and so keeps its divisor the same
    /// everywhere; blocks add nothing yet (their norms' gains are 0); and relu(z) - relu(-z) is z again.
    package func startAsIdentity() {
        precondition(shape.features / shape.channels >= 4)
        let (features, channels, copies) = (shape.features, shape.channels, shape.features / shape.channels)
        let p = parameters.data, constant: Float = 24
        for layer in table.layers {
            for norm in [layer.attendedNorm, layer.pointNorm] {
                (p + norm.gain).update(repeating: 0, count: features)
            }
        }
        (p + table.output.weight).update(repeating: 0, count: channels * 9 * features)
        (p + table.output.bias).update(repeating: 0, count: channels)
        for channel in 0..<channels {
            for copy in 0..<3 {
                let row = channel * copies + copy
                (p + table.input.weight + row * 9 * channels).update(repeating: 0, count: 9 * channels)
                p[table.input.weight + (row * 9 + 4) * channels + channel] = [0, -2, -1][copy]
                p[table.input.bias + row] = copy == 2 ? constant : 0
            }
        }
        // The squares that the norm averages: the constants', 1 for z and -z, and for the other copies, which keep
        // their random convolution, 1 + 1/3: what weights within 1 / sqrt(fan-in) add.
        let square = (constant * constant + 2 + Float(copies - 3) * 4 / 3) / Float(copies)
        for channel in 0..<channels {
            for (copy, sign) in [(0, Float(1)), (1, -1)] {
                let column = channel * copies + copy
                p[table.norm.gain + column] = square.squareRoot()
                p[table.output.weight + (channel * 9 + 4) * features + column] = sign
            }
        }
        parametersChanged()
    }

    /// Must follow every change of `parameters`.
    func parametersChanged() {
        let width = 3 * shape.features, hidden = shape.hidden
        var to = turned.data
        for layer in table.layers {
            for (offset, taps, channels) in [(layer.aggregate, 25, width), (layer.depthwise.weight, 9, hidden)] {
                for tap in 0..<taps {
                    (to + (taps - 1 - tap) * channels).update(
                        from: parameters.data + offset + tap * channels, count: channels)
                }
                to += taps * channels
            }
        }
    }

    // MARK: - Forward

    /// `codes` (pixels, channels) of the workspace to its `result` (pixels, channels).
    func forward(_ space: RectifierWorkspace) {
        let (height, width, channels) = (shape.height, shape.width, shape.channels)
        let (pixels, features) = (shape.pixels, shape.features)
        let p = parameters.data
        tk_patches(space.codes, height, width, channels, space.inputPatches)
        linear(
            space.inputPatches, 9 * channels, to: space.input, features, p + table.input.weight,
            bias: p + table.input.bias)
        tk_add_repeated(space.codes, pixels, channels, features, space.input)
        var x = space.input
        for (index, layer) in space.layers.enumerated() {
            forward(x, layer, table.layers[index])
            x = layer.output
        }
        tk_rms_norm(
            x, nil, pixels, features, p + table.norm.gain, p + table.norm.bias, RectifierShape.epsilon, 1, space.last)
        tk_patches(space.last, height, width, features, space.outputPatches)
        linear(
            space.outputPatches, 9 * features, to: space.result, channels, p + table.output.weight,
            bias: p + table.output.bias)
    }

    private func forward(
        _ x: UnsafeMutablePointer<Float>, _ a: RectifierWorkspace.Layer, _ at: ParameterTable.LayerOffsets
    ) {
        let (height, width, pixels) = (shape.height, shape.width, shape.pixels)
        let (features, hidden, eps) = (shape.features, shape.hidden, RectifierShape.epsilon)
        let p = parameters.data
        tk_linear(pixels, 3 * features, features, x, p + at.qkv, nil, 0, 0, a.qkv, 6 * features)
        tk_depthwise(
            a.qkv, height, width, 3 * features, 6 * features, RectifierShape.scale, p + at.aggregate, nil, a.aggregated)
        tk_grouped_pointwise(
            a.aggregated, 3 * features, p + at.grouped, pixels, 3 * features / 32, a.qkv + 3 * features, 6 * features)
        tk_linear_attention(a.qkv, pixels, 2 * features / 32, a.attention)
        linear(a.attention, 2 * features, to: a.attended, features, p + at.attended)
        tk_rms_norm(
            a.attended, x, pixels, features, p + at.attendedNorm.gain, p + at.attendedNorm.bias, eps, 0, a.middle)
        linear(a.middle, features, to: a.inverted, hidden, p + at.inverted.weight, bias: p + at.inverted.bias)
        tk_silu(a.inverted, pixels * hidden, a.activated)
        tk_depthwise(
            a.activated, height, width, hidden, hidden, 3, p + at.depthwise.weight, p + at.depthwise.bias, a.depthwise)
        tk_gated(a.depthwise, pixels, hidden / 2, a.gated)
        linear(a.gated, hidden / 2, to: a.point, features, p + at.point)
        tk_rms_norm(
            a.point, a.middle, pixels, features, p + at.pointNorm.gain, p + at.pointNorm.bias, eps, 0, a.output)
    }

    private func linear(
        _ x: UnsafeMutablePointer<Float>, _ inputs: Int, to y: UnsafeMutablePointer<Float>, _ outputs: Int,
        _ weight: UnsafeMutablePointer<Float>, bias: UnsafeMutablePointer<Float>? = nil
    ) {
        tk_linear(shape.pixels, outputs, inputs, x, weight, bias, 0, 0, y, outputs)
    }

    // MARK: - Backward

    /// Adds to `gradients` (laid out as the parameters) what the workspace's `resultGradient` means for them, after a
    /// forward pass in it.
    func backward(_ space: RectifierWorkspace, _ gradients: UnsafeMutablePointer<Float>) {
        let (height, width, channels) = (shape.height, shape.width, shape.channels)
        let (pixels, features) = (shape.pixels, shape.features)
        let p = parameters.data
        let d = space.resultGradient
        weightGradient(d, channels, space.outputPatches, 9 * features, gradients + table.output.weight)
        tk_add_column_sums(d, pixels, channels, gradients + table.output.bias)
        tk_matmul(
            0, 0, pixels, 9 * features, channels, d, channels, p + table.output.weight, 9 * features, 0,
            space.patchesGradient, 9 * features)
        var dx = space.narrow[0]
        tk_patches_gradient(space.patchesGradient, height, width, features, dx)
        for index in 0..<pixels * features where space.last[index] <= 0 { dx[index] = 0 }
        let x = space.layers.last?.output ?? space.input
        tk_rms_norm_gradient(
            x, dx, pixels, features, p + table.norm.gain, RectifierShape.epsilon, dx, gradients + table.norm.gain,
            gradients + table.norm.bias)
        var other = space.narrow[1]
        for index in space.layers.indices.reversed() {
            let input = index > 0 ? space.layers[index - 1].output : space.input
            backward(dx, input, index, space, scratch: space.narrow[2], gradients, to: other)
            swap(&dx, &other)
        }
        weightGradient(dx, features, space.inputPatches, 9 * channels, gradients + table.input.weight)
        tk_add_column_sums(dx, pixels, features, gradients + table.input.bias)
    }

    /// One block: `d` (pixels, features) by its result becomes `dx` by its input. `d` is overwritten.
    private func backward(
        _ d: UnsafeMutablePointer<Float>, _ x: UnsafeMutablePointer<Float>, _ index: Int, _ space: RectifierWorkspace,
        scratch: UnsafeMutablePointer<Float>, _ g: UnsafeMutablePointer<Float>, to dx: UnsafeMutablePointer<Float>
    ) {
        let a = space.layers[index], at = table.layers[index], p = parameters.data
        let (height, width, pixels) = (shape.height, shape.width, shape.pixels)
        let (features, hidden, eps) = (shape.features, shape.hidden, RectifierShape.epsilon)
        let turnedAggregate = turned.data + index * (75 * features + 9 * hidden)
        let turnedDepthwise = turnedAggregate + 75 * features

        // The gated convolution; `d` goes on along the residual.
        tk_rms_norm_gradient(
            a.point, d, pixels, features, p + at.pointNorm.gain, eps, scratch, g + at.pointNorm.gain,
            g + at.pointNorm.bias)
        weightGradient(scratch, features, a.gated, hidden / 2, g + at.point)
        tk_matmul(
            0, 0, pixels, hidden / 2, features, scratch, features, p + at.point, hidden / 2, 0, space.gate, hidden / 2)
        let (dDepthwise, dInverted) = (space.wide[0], space.wide[1])
        tk_gated_gradient(a.depthwise, space.gate, pixels, hidden / 2, dDepthwise)
        tk_add_column_sums(dDepthwise, pixels, hidden, g + at.depthwise.bias)
        tk_depthwise_weights_gradient(
            a.activated, dDepthwise, height, width, hidden, hidden, 3, g + at.depthwise.weight)
        tk_depthwise(dDepthwise, height, width, hidden, hidden, 3, turnedDepthwise, nil, dInverted)
        tk_silu_gradient(a.inverted, dInverted, pixels * hidden, dInverted)
        tk_add_column_sums(dInverted, pixels, hidden, g + at.inverted.bias)
        weightGradient(dInverted, hidden, a.middle, features, g + at.inverted.weight)
        tk_matmul(
            0, 0, pixels, features, hidden, dInverted, hidden, p + at.inverted.weight, features, 1, d, features)

        // The attention; `d` goes on along the residual.
        tk_rms_norm_gradient(
            a.attended, d, pixels, features, p + at.attendedNorm.gain, eps, scratch, g + at.attendedNorm.gain,
            g + at.attendedNorm.bias)
        weightGradient(scratch, features, a.attention, 2 * features, g + at.attended)
        let dAttention = space.gate
        tk_matmul(
            0, 0, pixels, 2 * features, features, scratch, features, p + at.attended, 2 * features, 0, dAttention,
            2 * features)
        tk_linear_attention_gradient(a.qkv, a.attention, dAttention, pixels, 2 * features / 32, space.qkv)
        backwardAggregation(space, a, at, turnedAggregate, g)
        tk_matmul(
            1, 0, 3 * features, features, pixels, space.qkv, 6 * features, x, features, 1, g + at.qkv, features)
        dx.update(from: d, count: pixels * features)
        tk_matmul(
            0, 0, pixels, features, 3 * features, space.qkv, 6 * features, p + at.qkv, features, 1, dx, features)
    }

    /// From the second half of `space.qkv` through the grouped and the depthwise convolution to its first half.
    private func backwardAggregation(
        _ space: RectifierWorkspace, _ a: RectifierWorkspace.Layer, _ at: ParameterTable.LayerOffsets,
        _ turnedAggregate: UnsafeMutablePointer<Float>, _ g: UnsafeMutablePointer<Float>
    ) {
        let (pixels, width) = (shape.pixels, 3 * shape.features)
        let (dAggregated, passed) = (space.aggregated[0], space.aggregated[1])
        for group in 0..<width / 32 {
            let d = space.qkv + width + group * 32
            tk_matmul(
                1, 0, 32, 32, pixels, d, 2 * width, a.aggregated + group * 32, width, 1, g + at.grouped + group * 1024,
                32)
            tk_matmul(
                0, 0, pixels, 32, 32, d, 2 * width, parameters.data + at.grouped + group * 1024, 32, 0,
                dAggregated + group * 32, width)
        }
        tk_depthwise_weights_gradient(
            a.qkv, dAggregated, shape.height, shape.width, width, 2 * width, RectifierShape.scale, g + at.aggregate)
        tk_depthwise(
            dAggregated, shape.height, shape.width, width, width, RectifierShape.scale, turnedAggregate, nil, passed)
        for pixel in 0..<pixels {
            let to = space.qkv + pixel * 2 * width, from = passed + pixel * width
            for column in 0..<width { to[column] += from[column] }
        }
    }

    /// `to` (outputs, inputs) += d (pixels, outputs)^T x (pixels, inputs).
    private func weightGradient(
        _ d: UnsafeMutablePointer<Float>, _ outputs: Int, _ x: UnsafeMutablePointer<Float>, _ inputs: Int,
        _ to: UnsafeMutablePointer<Float>
    ) {
        tk_matmul(1, 0, outputs, inputs, shape.pixels, d, outputs, x, inputs, 1, to, inputs)
    }
}
