import Dispatch
import Foundation
import Testing

@testable import Tensor

@Suite(.serialized)
struct ConvolutionTests {
    /// y[oc, oy, ox] of a convolution of x (h, w, inputs), by definition.
    static func naive(
        _ x: Plane, _ w: [Float], _ b: [Float]?, kernel: Int, stride: Int, pad: Int, output: Int, row: Int, column: Int
    ) -> Double {
        var sum = Double(b?[output] ?? 0)
        for i in 0..<kernel {
            for j in 0..<kernel {
                let y = row * stride + i - pad, xx = column * stride + j - pad
                guard y >= 0, y < x.height, xx >= 0, xx < x.width else { continue }
                for c in 0..<x.channels {
                    sum +=
                        Double(x.data[(y * x.width + xx) * x.channels + c])
                        * Double(w[((output * x.channels + c) * kernel + i) * kernel + j])
                }
            }
        }
        return sum
    }

    @Test(arguments: [
        (3, 8, 6, 5, 3, 1), (8, 3, 4, 7, 3, 1), (16, 32, 8, 8, 3, 2), (5, 7, 1, 1, 3, 1), (32, 16, 9, 3, 1, 1),
        (128, 64, 16, 16, 3, 1),
    ])
    func equalsNaive(inputs: Int, outputs: Int, height: Int, width: Int, kernel: Int, stride: Int) throws {
        let shape = Convolution.Shape(
            inputs: inputs, outputs: outputs, height: height, width: width, kernel: kernel, stride: stride)
        for arithmetic in [Compute.Arithmetic.float32, .bfloat16] where arithmetic.isNative {
            try check(shape, arithmetic)
        }
    }

    /// Whatever the arithmetic, sums are float32 of factors that it can hold.
    private func check(_ shape: Convolution.Shape, _ arithmetic: Compute.Arithmetic) throws {
        let pool = ScratchPool()
        func factors(_ count: Int, seed: UInt64, scale: Float) -> [Float] {
            Noise.values(count, seed: seed, scale: scale).map { Float(arithmetic.rounded($0)) }
        }
        let (outputs, kernel) = (shape.outputs, shape.kernel)
        let x = pool.plane(
            shape.height, shape.width, shape.inputs,
            factors(shape.height * shape.width * shape.inputs, seed: 1, scale: 1))
        let w = factors(outputs * shape.inputs * kernel * kernel, seed: 2, scale: 0.3)
        let b = Noise.values(outputs, seed: 3)
        func convolution(_ bias: [Float]?, _ activation: Activation, accumulate: Bool = false) throws -> Convolution {
            try Convolution(
                shape, weight: FloatBuffer(w), bias: bias.map { FloatBuffer($0) }, activation: activation,
                accumulate: accumulate, arithmetic: arithmetic)
        }
        let plain = try convolution(b, .none)(x, pool), active = try convolution(b, .silu)(x, pool)
        let sum = pool.plane(plain.height, plain.width, outputs, [Float](repeating: 2, count: plain.count))
        try convolution(nil, .none, accumulate: true).run(x, to: sum, pool)
        for row in 0..<plain.height {
            for column in 0..<plain.width {
                for output in 0..<outputs {
                    let index = (row * plain.width + column) * outputs + output
                    let expected = Self.naive(
                        x, w, b, kernel: kernel, stride: shape.stride, pad: kernel / 2, output: output, row: row,
                        column: column)
                    #expect(abs(Double(plain.data[index]) - expected) < 1e-4)
                    #expect(abs(Double(active.data[index]) - Naive.silu(expected)) < 1e-4)
                    #expect(abs(Double(sum.data[index]) - (expected - Double(b[output]) + 2)) < 1e-4)
                }
            }
        }
    }

    /// `@unchecked Sendable`: written by one thread, then read by another.
    private final class Made: @unchecked Sendable { var convolutions: [Convolution] = [] }

    /// Models are loaded on one thread and used on another, while more are loaded. Where oneDNN has no kernel of its
    /// own for the shape (DNNL_MAX_CPU_ISA=SSE41), it needs a scratchpad.
    @Test func madeOnOneThreadAndRunOnAnother() throws {
        let pool = ScratchPool()
        let shape = Convolution.Shape(inputs: 128, outputs: 3, height: 64, width: 64)
        let x = pool.plane(64, 64, 128, Noise.values(64 * 64 * 128, seed: 1))
        let w = Noise.values(3 * 128 * 9, seed: 2), b = Noise.values(3, seed: 3)
        let expected = try Convolution(shape, weight: FloatBuffer(w), bias: FloatBuffer(b), method: .direct)(x, pool)
            .values
        var ready = Made()
        for _ in 0..<3 {
            let (made, done) = (Made(), DispatchSemaphore(value: 0))
            let thread = Thread {
                made.convolutions = (0..<8).compactMap { _ in
                    try? Convolution(shape, weight: FloatBuffer(w), bias: FloatBuffer(b), method: .direct)
                }
                done.signal()
            }
            thread.start()
            for convolution in ready.convolutions { #expect(convolution(x, pool).values == expected) }
            try #require(done.wait(timeout: .now() + 60) == .success)
            ready = made
            #expect(ready.convolutions.count == 8)
        }
        for convolution in ready.convolutions { #expect(convolution(x, pool).values == expected) }
    }

    /// Winograd against oneDNN's direct convolution, at every level, with edges that don't fill a tile.
    @Test(arguments: [(16, 32, 1, 1), (32, 64, 7, 9), (64, 32, 40, 33), (128, 128, 32, 32), (160, 32, 13, 64)])
    func winogradEqualsDirect(inputs: Int, outputs: Int, height: Int, width: Int) throws {
        let pool = ScratchPool()
        let x = pool.plane(height, width, inputs, Noise.values(height * width * inputs, seed: 1))
        let scale = 1 / Float(inputs * 9).squareRoot()
        let w = Noise.values(outputs * inputs * 9, seed: 2, scale: scale), b = Noise.values(outputs, seed: 3)
        let shape = Convolution.Shape(inputs: inputs, outputs: outputs, height: height, width: width)
        for level in Compute.Level.allCases where level.rawValue <= Compute.bestLevel.rawValue {
            Compute.force(level)
            for (activation, accumulate) in [(Activation.none, false), (.silu, false), (.none, true)] {
                let results = try [Convolution.Method.direct, .winograd].map { method in
                    let y = pool.plane(height, width, outputs, [Float](repeating: 2, count: height * width * outputs))
                    try Convolution(
                        shape, weight: FloatBuffer(w), bias: FloatBuffer(b), activation: activation,
                        accumulate: accumulate, method: method
                    ).run(x, to: y, pool)
                    return y.values
                }
                #expect(zip(results[0], results[1]).allSatisfy { abs($0 - $1) < 2e-5 })
            }
        }
        Compute.force(Compute.bestLevel)
    }

    /// Factors lose nine bits after the transform, which makes errors of theirs larger: five times of what it is by
    /// definition, eleven for a doubled picture (the transforms' coefficients, and outputs of about 1).
    @Test(arguments: [(16, 32, 2, 2), (64, 32, 40, 34), (128, 128, 32, 32)])
    func winogradOfRoundedFactorsIsClose(inputs: Int, outputs: Int, height: Int, width: Int) throws {
        guard Compute.Arithmetic.bfloat16.isNative else { return }
        let pool = ScratchPool()
        let x = pool.plane(height, width, inputs, Noise.values(height * width * inputs, seed: 1, scale: 1.7))
        let scale = 1.7 / Float(inputs * 9).squareRoot()
        let w = Noise.values(outputs * inputs * 9, seed: 2, scale: scale), b = Noise.values(outputs, seed: 3)
        let shape = Convolution.Shape(inputs: inputs, outputs: outputs, height: height, width: width)
        func plain(_ arithmetic: Compute.Arithmetic) throws -> [Float] {
            try Convolution(
                shape, weight: FloatBuffer(w), bias: FloatBuffer(b), method: .winograd, arithmetic: arithmetic)(x, pool)
                .values
        }
        func doubled(_ arithmetic: Compute.Arithmetic) throws -> [Float] {
            try UpsamplingConvolution(
                inputs: inputs, outputs: outputs, height: height, width: width, weight: FloatBuffer(w),
                bias: FloatBuffer(b), method: .winograd, arithmetic: arithmetic)(x, shortcut: false, pool).values
        }
        for (make, bound) in [(plain, 0.012), (doubled, 0.027)] {
            let exact = try make(.float32)
            let errors = zip(try make(.bfloat16), exact).map { Double($0 - $1) }
            let error = (errors.reduce(0) { $0 + $1 * $1 } / Double(errors.count)).squareRoot()
            #expect(error > 1e-4 && error < bound, "\(error)")
            // There are no convolutions of 8 bits.
            #expect(try make(.int8) == (try make(.bfloat16)))
        }
    }

    @Test func winogradIsChosenForLargePicturesOnly() throws {
        func name(_ side: Int, _ inputs: Int, _ outputs: Int) throws -> String {
            let weight = FloatBuffer(Noise.values(inputs * outputs * 9, seed: 1))
            let shape = Convolution.Shape(inputs: inputs, outputs: outputs, height: side, width: side)
            return try Convolution(shape, weight: weight, bias: nil).implementationName
        }
        #expect(try name(32, 32, 32) == "winograd")
        #expect(try name(16, 32, 32) != "winograd")
        #expect(try name(32, 3, 32) != "winograd")
        #expect(try name(32, 32, 3) != "winograd")
    }

    @Test(arguments: [(4, 6, 3, 5), (8, 8, 1, 1), (16, 8, 4, 4), (8, 16, 2, 3)])
    func upsamplingEqualsNaive(inputs: Int, outputs: Int, height: Int, width: Int) throws {
        let pool = ScratchPool()
        let x = pool.plane(height, width, inputs, Noise.values(height * width * inputs, seed: 1))
        let large = pool.plane(2 * height, 2 * width, inputs)
        for pixel in 0..<large.rows {
            let source = (pixel / large.width / 2) * width + pixel % large.width / 2
            for c in 0..<inputs { large.data[pixel * inputs + c] = x.data[source * inputs + c] }
        }
        let w = Noise.values(outputs * inputs * 9, seed: 2), b = Noise.values(outputs, seed: 3)
        let layer = try UpsamplingConvolution(
            inputs: inputs, outputs: outputs, height: height, width: width, weight: FloatBuffer(w),
            bias: FloatBuffer(b))
        let y = layer(x, shortcut: false, pool)
        let repeats = outputs * 4 % inputs == 0
        let z = repeats ? layer(x, shortcut: true, pool) : nil
        for row in 0..<y.height {
            for column in 0..<y.width {
                for output in 0..<outputs {
                    let index = (row * y.width + column) * outputs + output
                    let expected = Self.naive(
                        large, w, b, kernel: 3, stride: 1, pad: 1, output: output, row: row, column: column)
                    #expect(abs(Double(y.data[index]) - expected) < 1e-4)
                    guard let z else { continue }
                    let channel = (output * 4 + row % 2 * 2 + column % 2) / (outputs * 4 / inputs)
                    let shortcut = x.data[((row / 2) * width + column / 2) * inputs + channel]
                    #expect(abs(Double(z.data[index]) - expected - Double(shortcut)) < 1e-4)
                }
            }
        }
    }

    /// At every level, with edges that don't fill a tile; what isn't a multiple of the vectors' width has no such
    /// kernel.
    @Test(arguments: [(16, 32, 1, 1), (32, 64, 3, 5), (64, 32, 20, 17), (128, 64, 16, 16), (32, 32, 7, 40)])
    func upsamplingByWinogradEqualsPhases(inputs: Int, outputs: Int, height: Int, width: Int) throws {
        let pool = ScratchPool()
        let x = pool.plane(height, width, inputs, Noise.values(height * width * inputs, seed: 1))
        let w = Noise.values(outputs * inputs * 9, seed: 2, scale: 1 / Float(inputs * 9).squareRoot())
        let b = Noise.values(outputs, seed: 3)
        func layer(_ method: Convolution.Method) throws -> UpsamplingConvolution {
            try UpsamplingConvolution(
                inputs: inputs, outputs: outputs, height: height, width: width, weight: FloatBuffer(w),
                bias: FloatBuffer(b), method: method)
        }
        defer { Compute.force(Compute.bestLevel) }
        for level in Compute.Level.allCases where level.rawValue <= Compute.bestLevel.rawValue {
            Compute.force(level)
            for shortcut in [false, true] {
                let phases = try layer(.direct)(x, shortcut: shortcut, pool)
                let winograd = try layer(.winograd)(x, shortcut: shortcut, pool)
                #expect(zip(phases.values, winograd.values).allSatisfy { abs($0 - $1) < 2e-5 }, "\(level)")
            }
        }
    }

    @Test func upsamplingOfOddChannelsHasNoWinograd() {
        let weight = FloatBuffer(Noise.values(12 * 32 * 9, seed: 1))
        #expect(throws: LibraryError.self) {
            try UpsamplingConvolution(
                inputs: 12, outputs: 32, height: 16, width: 16, weight: weight, bias: nil, method: .winograd)
        }
    }

    @Test(arguments: [(3, 5, 5, 8), (5, 4, 7, 40), (3, 1, 1, 3), (5, 9, 9, 96)])
    func depthwiseEqualsNaive(size: Int, height: Int, width: Int, channels: Int) {
        let pool = ScratchPool()
        let x = pool.plane(height, width, channels + 3, Noise.values(height * width * (channels + 3), seed: 1))
        let w = Noise.values(channels * size * size, seed: 2), b = Noise.values(channels, seed: 3)
        for level in Compute.Level.allCases where level.rawValue <= Compute.bestLevel.rawValue {
            Compute.force(level)
            let y = DepthwiseConvolution(
                channels: channels, size: size, weight: FloatBuffer(w), bias: FloatBuffer(b))(x, pool)
            for pixel in 0..<y.rows {
                for c in 0..<channels {
                    var sum = Double(b[c])
                    for tap in 0..<size * size {
                        let yy = pixel / width + tap / size - size / 2, xx = pixel % width + tap % size - size / 2
                        guard yy >= 0, yy < height, xx >= 0, xx < width else { continue }
                        sum += Double(x.data[(yy * width + xx) * x.channels + c]) * Double(w[c * size * size + tap])
                    }
                    #expect(abs(Double(y.data[pixel * channels + c]) - sum) < 1e-4)
                }
            }
        }
        Compute.force(Compute.bestLevel)
    }
}
