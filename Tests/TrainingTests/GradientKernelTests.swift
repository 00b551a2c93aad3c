import CKernels
import Tensor
import Testing

@testable import Training

/// Backward passes of single layers against PyTorch's. Gradients that a kernel adds to start at 1 here.
@Suite(.serialized)
struct GradientKernelTests {
    private let fixture: GradientFixture
    private static let limit = 2e-6

    init() throws { fixture = try GradientFixture() }

    private func expect(_ ours: [Float], _ name: String) throws {
        try fixture.expect(ours, is: name, within: Self.limit)
    }

    private func expect(added ours: [Float], _ name: String) throws { try expect(ours.map { $0 - 1 }, name) }

    private func ones(_ count: Int) -> [Float] { [Float](repeating: 1, count: count) }

    @Test func silu() throws {
        let x = given("silu.x", 37, spread: 8), dy = given("silu.dy", 37)
        try atEveryLevel {
            var dx = ones(37), inPlace = dy
            tk_silu_gradient(x, dy, 37, &dx)
            try expect(dx, "silu.dx")
            inPlace.withUnsafeMutableBufferPointer { tk_silu_gradient(x, $0.baseAddress, 37, $0.baseAddress) }
            #expect(inPlace == dx)
        }
    }

    @Test func gated() throws {
        let x = given("gated.x", 5 * 38, spread: 4), dy = given("gated.dy", 5 * 19)
        try atEveryLevel {
            var dx = ones(5 * 38)
            tk_gated_gradient(x, dy, 5, 19, &dx)
            try expect(dx, "gated.dx")
        }
    }

    @Test func rmsNorm() throws {
        let (rows, width) = (7, 37)
        let x = given("rms.x", rows * width, spread: 2), dy = given("rms.dy", rows * width)
        let gain = given("rms.gain", width)
        try atEveryLevel {
            var dx = ones(rows * width), dgain = ones(width), dbias = ones(width), inPlace = dy
            tk_rms_norm_gradient(x, dy, rows, width, gain, 1e-5, &dx, &dgain, &dbias)
            try expect(dx, "rms.dx")
            try expect(added: dgain, "rms.dgain")
            try expect(added: dbias, "rms.dbias")
            inPlace.withUnsafeMutableBufferPointer {
                tk_rms_norm_gradient(x, $0.baseAddress, rows, width, gain, 1e-5, $0.baseAddress, &dgain, &dbias)
            }
            #expect(inPlace == dx)
        }
    }

    @Test(arguments: [1, 16, 37])
    func columnSums(width: Int) {
        let x = given("sums", 7 * width)
        atEveryLevel {
            var sums = ones(width)
            tk_add_column_sums(x, 7, width, &sums)
            for column in 0..<width {
                let expected = (0..<7).reduce(1.0) { $0 + Double(x[$1 * width + column]) }
                #expect(abs(Double(sums[column]) - expected) < 1e-6)
            }
        }
    }

    /// Of columns 0 ..< channels of a wider matrix, as the rectifier takes them.
    @Test(arguments: [3, 5])
    func depthwise(size: Int) throws {
        let (height, width, channels, ld) = (4, 6, 21, 32), name = "depthwise\(size)"
        let x = given(name + ".x", height * width * channels), dy = given(name + ".dy", height * width * channels)
        let w = given(name + ".w", size * size * channels)
        var wide = [Float](repeating: .nan, count: height * width * ld)
        for pixel in 0..<height * width {
            for channel in 0..<channels { wide[pixel * ld + channel] = x[pixel * channels + channel] }
        }
        let turned = (0..<size * size).reversed().flatMap { w[$0 * channels..<($0 + 1) * channels] }
        try atEveryLevel {
            var dw = ones(size * size * channels), dx = ones(height * width * channels)
            tk_depthwise_weights_gradient(wide, dy, height, width, channels, ld, size, &dw)
            try expect(added: dw, name + ".dw")
            tk_depthwise(dy, height, width, channels, channels, size, turned, nil, &dx)
            try expect(dx, name + ".dx")
        }
    }

    /// Its linear and its quadratic form have one gradient.
    @Test(arguments: [40, 9])
    func linearAttention(pixels: Int) throws {
        let name = "attention\(pixels)"
        var qkv = given(name + ".qkv", pixels * 288)
        for column in 0..<32 { qkv[2 * 288 + column] = -abs(qkv[2 * 288 + column]) }
        let dout = given(name + ".dy", pixels * 96)
        try atEveryLevel {
            var out = ones(pixels * 96), dqkv = [Float](repeating: .nan, count: pixels * 288)
            tk_linear_attention(qkv, pixels, 3, &out)
            try expect(out, name + ".out")
            tk_linear_attention_gradient(qkv, out, dout, pixels, 3, &dqkv)
            try expect(dqkv, name + ".dqkv")
        }
    }

    @Test func convolution() throws {
        let (height, width, inputs, outputs) = (4, 5, 6, 3), pixels = 20, patch = 9 * 6
        let x = given("convolution.x", pixels * inputs), dy = given("convolution.dy", pixels * outputs)
        let w = given("convolution.w", outputs * patch), b = given("convolution.b", outputs)
        try atEveryLevel {
            var patches = ones(pixels * patch), y = ones(pixels * outputs), dw = ones(outputs * patch)
            var db = ones(outputs), dPatches = ones(pixels * patch), dx = ones(pixels * inputs)
            tk_patches(x, height, width, inputs, &patches)
            tk_linear(pixels, outputs, patch, patches, w, b, 0, 0, &y, outputs)
            try expect(y, "convolution.y")
            tk_matmul(1, 0, outputs, patch, pixels, dy, outputs, patches, patch, 1, &dw, patch)
            try expect(added: dw, "convolution.dw")
            tk_add_column_sums(dy, pixels, outputs, &db)
            try expect(added: db, "convolution.db")
            tk_matmul(0, 0, pixels, patch, outputs, dy, outputs, w, patch, 0, &dPatches, patch)
            tk_patches_gradient(dPatches, height, width, inputs, &dx)
            try expect(dx, "convolution.dx")
        }
    }

    /// Of columns of wider matrices; what lies beside the result stays.
    @Test(arguments: [(false, false), (true, false), (false, true), (true, true)], [Float(0), 1])
    func matrixProduct(transposed: (a: Bool, b: Bool), beta: Float) {
        let (m, n, k, ld) = (5, 19, 7, 23)
        let a = given("matmul.a", ld * ld), b = given("matmul.b", ld * ld), before = given("matmul.c", m * ld)
        var c = before
        tk_matmul(transposed.a ? 1 : 0, transposed.b ? 1 : 0, m, n, k, a, ld, b, ld, beta, &c, ld)
        for row in 0..<m {
            for column in 0..<n {
                let sum = (0..<k).reduce(0.0) { sum, i in
                    let left = transposed.a ? a[i * ld + row] : a[row * ld + i]
                    let right = transposed.b ? b[column * ld + i] : b[i * ld + column]
                    return sum + Double(left) * Double(right)
                }
                let at = row * ld + column
                #expect(abs(Double(c[at]) - sum - Double(beta * before[at])) < 1e-5)
            }
            #expect(c[row * ld + n..<(row + 1) * ld] == before[row * ld + n..<(row + 1) * ld])
        }
    }
}
