import CKernels
import Testing

@testable import Tensor

/// Every fast kernel against a naive twin in double precision, at every level the processor has.
@Suite(.serialized)
struct LinearTests {
    static let shapes: [(m: Int, n: Int, k: Int)] = [
        (1, 1, 1), (3, 5, 7), (64, 193, 33), (321, 385, 64), (1030, 40, 16), (2050, 1100, 8),
    ]

    @Test(arguments: shapes, [Activation.none, .gelu, .tanh, .silu, .relu])
    func equalsNaive(shape: (m: Int, n: Int, k: Int), activation: Activation) throws {
        let (m, n, k) = shape
        let x = Noise.values(m * k, seed: 1), w = Noise.values(n * k, seed: 2, scale: 2 / Float(k).squareRoot())
        let b = Noise.values(n, seed: 3), r = Noise.values(m * n, seed: 4)
        let pool = ScratchPool()
        defer { Compute.force(Compute.bestLevel) }
        for (level, arithmetic) in Self.modes {
            Compute.force(level)
            let layer = try Linear(
                inputs: k, outputs: n, weight: FloatBuffer(w), bias: FloatBuffer(b), arithmetic: arithmetic)
            let adds = activation == .none
            let y = pool.plane(m, 1, n, r)
            let given = pool.activations(pool.plane(m, 1, k, x), as: arithmetic)
            layer.run(given, to: y, activation: activation, adds: adds)
            let handed = layer(given, pool, activation: activation)
            let rows = arithmetic.rows(x, width: k), weights = arithmetic.weights(w, width: k)
            for row in stride(from: 0, to: m, by: max(1, m / 37)) {
                for column in stride(from: 0, to: n, by: max(1, n / 41)) {
                    var sum = Double(b[column])
                    for i in 0..<k { sum += rows[row * k + i] * weights[column * k + i] }
                    let expected = Naive.activate(sum, activation)
                    let at = row * n + column
                    let found = Double(y.data[at]) - (adds ? Double(r[at]) : 0)
                    // Of rounded weights GELU is a polynomial.
                    let exact = activation == .gelu && arithmetic != .float32 || arithmetic == .int8 ? 1e-4 : 2e-5
                    #expect(abs(found - expected) < exact * max(1, abs(expected)), "\(arithmetic) \(level)")
                    let tolerance = arithmetic.unquantized == .float32 ? exact : 0x1p-8
                    #expect(abs(handed[at] - expected) < tolerance * max(1, abs(expected)), "\(arithmetic) \(level)")
                }
            }
        }
    }

    /// Levels the processor has, with the arithmetics that are native there.
    static var modes: [(Compute.Level, Compute.Arithmetic)] {
        defer { Compute.force(Compute.bestLevel) }
        return Compute.Level.allCases.filter { $0.rawValue <= Compute.bestLevel.rawValue }.flatMap { level in
            Compute.force(level)
            return [Compute.Arithmetic.float32, .bfloat16, .int8].filter(\.isNative).map { (level, $0) }
        }
    }

    /// At every level; what isn't a number stays none.
    @Test func bfloat16IsRoundedToNearestEven() {
        let pool = ScratchPool()
        let cases: [(Float, UInt16)] = [
            (1, 0x3F80), (-1, 0xBF80), (Float(bitPattern: 0x3F80_8000), 0x3F80),
            (Float(bitPattern: 0x3F81_8000), 0x3F82),
            (Float(bitPattern: 0x3F80_8001), 0x3F81), (.greatestFiniteMagnitude, 0x7F80), (.infinity, 0x7F80), (0, 0),
            (-0.0, 0x8000),
        ]
        defer { Compute.force(Compute.bestLevel) }
        for level in Compute.Level.allCases where level.rawValue <= Compute.bestLevel.rawValue {
            Compute.force(level)
            // 19 in a row: a whole vector and a part of one.
            let values = (0..<19).map { cases[$0 % cases.count] }
            let x = pool.plane(2, 1, 19, values.map(\.0) + values.map(\.0))
            guard case .bfloat16(let y) = pool.activations(x, as: .bfloat16) else {
                Issue.record("not of that arithmetic")
                return
            }
            for index in 0..<38 { #expect(y.data[index] == values[index % 19].1, "\(level) \(values[index % 19])") }
            let none = pool.plane(1, 1, 1, [Float(bitPattern: 0x7F80_0001)])
            guard case .bfloat16(let rounded) = pool.activations(none, as: .bfloat16) else {
                Issue.record("not of that arithmetic")
                return
            }
            #expect(rounded.data[0] & 0x7FFF > 0x7F80)
        }
    }

    /// A row without a range, and one of zeros.
    @Test func rowsOfOneNumberAreExactIn8Bits() throws {
        guard Compute.Arithmetic.int8.isNative else { return }
        let pool = ScratchPool()
        let x = pool.plane(3, 1, 70, [Float](repeating: -3, count: 70) + [Float](repeating: 0, count: 140))
        let weight = FloatBuffer((0..<5 * 70).map { Float($0 % 128 - 64) })
        let layer = try Linear(inputs: 70, outputs: 5, weight: weight, bias: nil, arithmetic: .int8)
        let y = layer(x, pool)
        for output in 0..<5 {
            // Weights of an output have a step of their own: 64 of 127, so that they are rounded.
            let sum = Compute.Arithmetic.int8.weights((0..<5 * 70).map { Float($0 % 128 - 64) }, width: 70)[
                output * 70..<(output + 1) * 70
            ].reduce(0, +)
            #expect(abs(Double(y.data[output]) + 3 * sum) < 1e-2)
            #expect(y.data[5 + output] == 0 && y.data[10 + output] == 0)
        }
    }

    /// Rounding to bytes would make a number of what is none. Other rows have nothing to do with it, nor where a row
    /// ends in half a pair or half a lane.
    @Test(arguments: [40, 39])
    func whatIsNotFiniteStaysSo(inputs: Int) throws {
        let pool = ScratchPool()
        for arithmetic in [Compute.Arithmetic.float32, .bfloat16, .int8] where arithmetic.isNative {
            let layer = try Linear(
                inputs: inputs, outputs: 3, weight: FloatBuffer(Noise.values(inputs * 3, seed: 1)), bias: nil,
                arithmetic: arithmetic)
            for (value, place) in [(Float.nan, 0), (.nan, 17), (.infinity, 33), (-.infinity, inputs - 1)] {
                var values = Noise.values(inputs * 3, seed: 2)
                values[inputs + place] = value
                let y = pool.plane(3, 1, 3)
                layer.run(pool.activations(pool.plane(3, 1, inputs, values), as: arithmetic), to: y)
                #expect((0..<9).allSatisfy { y.values[$0].isFinite != (3..<6).contains($0) }, "\(arithmetic) \(value)")
                // Bytes have no infinity.
                #expect(arithmetic != .int8 || y.values[3..<6].allSatisfy(\.isNaN), "\(value) at \(place)")
            }
        }
    }

    /// Sums of more could overflow.
    @Test func tooManyInputsFor8BitsAreRefused() {
        guard Compute.Arithmetic.int8.isNative else { return }
        for (inputs, fits) in [(66_311, true), (66_312, false)] {
            let made = try? Linear(
                inputs: inputs, outputs: 1, weight: FloatBuffer([Float](repeating: 1, count: inputs)), bias: nil,
                arithmetic: .int8)
            #expect((made != nil) == fits)
        }
    }

    @Test func layerNormForAProductIsTheRoundedOne() {
        let pool = ScratchPool()
        let norm = Affine(gain: FloatBuffer(Noise.values(100, seed: 1)), bias: FloatBuffer(Noise.values(100, seed: 2)))
        let x = pool.plane(40, 1, 100, Noise.values(4000, seed: 3))
        defer { Compute.force(Compute.bestLevel) }
        for level in Compute.Level.allCases where level.rawValue <= Compute.bestLevel.rawValue {
            Compute.force(level)
            let whole = norm.layerNorm(x, eps: 1e-5, pool)
            let rounded = norm.layerNorm(x, eps: 1e-5, as: .bfloat16, pool)
            for index in 0..<4000 { #expect(rounded[index] == Compute.Arithmetic.bfloat16.rounded(whole.data[index])) }
        }
    }

    /// However work is cut, each number is summed in the same order: any number of threads gives the same bits.
    @Test(arguments: [1, 2, 3, 5])
    func threadsDoNotMatter(threads: Int) throws {
        let pool = ScratchPool()
        defer { Compute.setThreads(2) }
        func run(_ count: Int, _ arithmetic: Compute.Arithmetic) throws -> [Double] {
            Compute.setThreads(count)
            let x = pool.activations(pool.plane(321, 1, 96, Noise.values(321 * 96, seed: 1)), as: arithmetic)
            let layer = try Linear(
                inputs: 96, outputs: 576, weight: FloatBuffer(Noise.values(96 * 576, seed: 2)), bias: nil,
                arithmetic: arithmetic)
            let out = pool.attention(qkv: layer(x, pool))
            return (0..<321 * 192).map { out[$0] }
        }
        for arithmetic in [Compute.Arithmetic.float32, .bfloat16, .int8] where arithmetic.isNative {
            let alone = try run(1, arithmetic)
            #expect(try run(threads, arithmetic) == alone)
        }
    }

    /// Nor do the rows beside a row matter, nor where panels, lanes and blocks end: rows of rounded weights are kept
    /// from one pass to the next.
    @Test(arguments: [(130, 39), (64, 256), (7, 1)])
    func rowsDoNotMatter(outputs: Int, inputs: Int) throws {
        let pool = ScratchPool()
        defer {
            Compute.setThreads(2)
            Compute.force(Compute.bestLevel)
        }
        for (level, arithmetic) in Self.modes where arithmetic != .float32 {
            Compute.force(level)
            let layer = try Linear(
                inputs: inputs, outputs: outputs, weight: FloatBuffer(Noise.values(inputs * outputs, seed: 1)),
                bias: FloatBuffer(Noise.values(outputs, seed: 2)), arithmetic: arithmetic)
            let x = pool.activations(pool.plane(40, 1, inputs, Noise.values(40 * inputs, seed: 3)), as: arithmetic)
            Compute.setThreads(1)
            let alone = (0..<40).flatMap { row in
                let y = layer(x.rows([row], pool), pool, activation: .gelu)
                return (0..<outputs).map { y[$0] }
            }
            for (threads, rows) in [(1, 40), (2, 40), (7, 40), (2, 13), (3, 2)] {
                Compute.setThreads(threads)
                let y = layer(x.rows(Array(0..<rows), pool), pool, activation: .gelu)
                #expect(
                    (0..<rows * outputs).map { y[$0] } == Array(alone[..<(rows * outputs)]),
                    "\(arithmetic) \(level), \(rows) rows, \(threads) threads")
            }
        }
    }

    @Test(arguments: [(65, 0..<65), (321, 257..<321), (130, 1..<130), (16, 0..<16), (3, 0..<1)])
    func attentionEqualsNaive(length: Int, queries: Range<Int>) {
        let pool = ScratchPool()
        let width = 128
        let values = Noise.values(length * 3 * width, seed: 5, scale: 2)
        for arithmetic in [Compute.Arithmetic.float32, .bfloat16] where arithmetic.isNative {
            let rounded = values.map { Float(arithmetic.rounded($0)) }
            func columns(_ range: Range<Int>, _ rows: Range<Int>) -> Activations {
                let some = rows.flatMap { row in range.map { rounded[row * 3 * width + $0] } }
                return pool.activations(pool.plane(rows.count, 1, range.count, some), as: arithmetic)
            }
            let all = 0..<length
            let whole = pool.attention(qkv: columns(0..<3 * width, all))
            let some = pool.attention(
                queries: columns(0..<width, queries), others: columns(width..<3 * width, all))
            let tolerance = arithmetic == .float32 ? 2e-5 : 0.02
            for (row, query) in queries.enumerated() where row % 9 == 0 {
                for head in 0..<2 {
                    let expected = Naive.attention(rounded, width: width, length: length, head: head, query: query)
                    for i in 0..<64 {
                        #expect(abs(whole[query * width + head * 64 + i] - expected[i]) < tolerance, "\(arithmetic)")
                        #expect(abs(some[row * width + head * 64 + i] - expected[i]) < tolerance, "\(arithmetic)")
                    }
                }
            }
        }
    }

    /// Both forms: up to 32 pixels the quadratic one, beyond the linear one.
    @Test(arguments: [4, 16, 32, 33, 64, 300])
    func linearAttentionEqualsNaive(pixels: Int) {
        let pool = ScratchPool()
        let qkv = pool.plane(pixels, 1, 192, Noise.values(pixels * 192, seed: 6))
        let out = pool.linearAttention(qkv: qkv)
        for pixel in stride(from: 0, to: pixels, by: 3) {
            for head in 0..<2 {
                let expected = Naive.linearAttention(qkv.values, pixels: pixels, heads: 2, head: head, query: pixel)
                for i in 0..<32 {
                    #expect(abs(Double(out.data[pixel * 64 + head * 32 + i]) - expected[i]) < 2e-5)
                }
            }
        }
    }

    @Test func groupedPointwiseEqualsNaive() {
        let pool = ScratchPool()
        let x = pool.plane(10, 1, 64, Noise.values(640, seed: 1)), w = Noise.values(64 * 32, seed: 2)
        let y = pool.plane(10, 1, 100, [Float](repeating: 9, count: 1000))
        pool.groupedPointwise(x, weight: FloatBuffer(w), into: y, column: 36)
        for pixel in 0..<10 {
            #expect(y.data[pixel * 100 + 35] == 9)
            for output in 0..<64 {
                var sum = 0.0
                for i in 0..<32 {
                    sum += Double(x.data[pixel * 64 + output / 32 * 32 + i]) * Double(w[output * 32 + i])
                }
                #expect(abs(Double(y.data[pixel * 100 + 36 + output]) - sum) < 1e-5)
            }
        }
    }
}

extension Compute.Arithmetic {
    /// What a product sees of its rows.
    func rows(_ x: [Float], width: Int) -> [Double] {
        let given = x.map(unquantized.rounded)
        guard self == .int8 else { return given }
        return stride(from: 0, to: given.count, by: width).flatMap { start in
            let row = given[start..<start + width].map { Float($0) }
            let low = row.min() ?? 0, step = ((row.max() ?? 0) - low) / 255
            let inverse = step > 0 ? 1 / step : 0
            return row.map { Double(low) + Double(step) * Double((($0 - low) * inverse).rounded(.toNearestOrEven)) }
        }
    }

    /// And of its weights.
    func weights(_ w: [Float], width: Int) -> [Double] {
        guard self == .int8 else { return w.map(rounded) }
        return stride(from: 0, to: w.count, by: width).flatMap { start in
            let output = w[start..<start + width]
            let step = output.reduce(0) { max($0, abs($1)) } / 127
            return output.map { Double(step) * Double(($0 * (1 / step)).rounded(.toNearestOrEven)) }
        }
    }

    /// What is left of a number by itself.
    func rounded(_ x: Float) -> Double {
        switch self {
        case .float32, .int8: return Double(x)
        case .bfloat16:
            let bits = x.bitPattern
            return Double(Float(bitPattern: (bits + 0x7FFF + (bits >> 16 & 1)) & 0xFFFF_0000))
        }
    }
}

extension Activations {
    subscript(index: Int) -> Double {
        switch self {
        case .float32(let plane): Double(plane.data[index])
        case .bfloat16(let plane): Double(Float(bitPattern: UInt32(plane.data[index]) << 16))
        }
    }
}
