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
    func equalsNaive(shape: (m: Int, n: Int, k: Int), activation: Activation) {
        let (m, n, k) = shape
        let x = Noise.values(m * k, seed: 1), w = Noise.values(n * k, seed: 2, scale: 2 / Float(k).squareRoot())
        let b = Noise.values(n, seed: 3), r = Noise.values(m * n, seed: 4)
        let pool = ScratchPool()
        for level in Compute.Level.allCases where level.rawValue <= Compute.bestLevel.rawValue {
            Compute.force(level)
            let layer = Linear(inputs: k, outputs: n, weight: FloatBuffer(w), bias: FloatBuffer(b))
            let y = pool.plane(m, 1, n)
            layer.run(
                .init(pool.plane(m, 1, k, x)), rows: m, to: .init(y), activation: activation,
                residual: .init(pool.plane(m, 1, n, r)))
            for row in stride(from: 0, to: m, by: max(1, m / 37)) {
                for column in stride(from: 0, to: n, by: max(1, n / 41)) {
                    var sum = Double(b[column])
                    for i in 0..<k { sum += Double(x[row * k + i]) * Double(w[column * k + i]) }
                    let expected = Naive.activate(sum, activation) + Double(r[row * n + column])
                    #expect(abs(Double(y.data[row * n + column]) - expected) < 2e-5 * max(1, abs(expected)))
                }
            }
        }
        Compute.force(Compute.bestLevel)
    }

    @Test func residualInPlaceAddsOnce() {
        let pool = ScratchPool()
        let layer = Linear(inputs: 3, outputs: 200, weight: FloatBuffer(Noise.values(600, seed: 1)), bias: nil)
        let x = pool.plane(4, 1, 3, Noise.values(12, seed: 2)), r = pool.plane(4, 1, 200, Noise.values(800, seed: 3))
        let apart = pool.plane(4, 1, 200)
        layer.run(.init(x), rows: 4, to: .init(apart), residual: .init(r))
        layer.run(.init(x), rows: 4, to: .init(r), residual: .init(r))
        #expect(zip(apart.values, r.values).allSatisfy { abs($0 - $1) < 1e-5 })
    }

    @Test func aRangeOfOutputsEqualsTheWhole() {
        let pool = ScratchPool()
        let layer = Linear(
            inputs: 64, outputs: 192, weight: FloatBuffer(Noise.values(64 * 192, seed: 1)),
            bias: FloatBuffer(Noise.values(192, seed: 2)))
        let x = pool.plane(10, 1, 64, Noise.values(640, seed: 3))
        let whole = layer(x, pool), part = pool.plane(10, 1, 192)
        layer.run(.init(x), rows: 10, to: .init(part), outputs: 0..<64)
        layer.run(.init(x), rows: 10, to: .init(part, column: 64), outputs: 64..<192)
        #expect(whole.values == part.values)
    }

    /// Tiles depend on the shape alone, so any number of threads gives the same bits.
    @Test(arguments: [1, 2, 3, 5])
    func threadsDoNotMatter(threads: Int) {
        let pool = ScratchPool()
        func run(_ count: Int) -> [Float] {
            Compute.setThreads(count)
            let x = pool.plane(321, 1, 96, Noise.values(321 * 96, seed: 1))
            let layer = Linear(
                inputs: 96, outputs: 576, weight: FloatBuffer(Noise.values(96 * 576, seed: 2)), bias: nil)
            let qkv = layer(x, pool)
            return pool.attention(qkv: qkv, queries: 0..<321).values
        }
        let alone = run(1)
        #expect(run(threads) == alone)
        Compute.setThreads(2)
    }

    @Test(arguments: [(65, 0..<65), (321, 257..<321), (130, 1..<130)])
    func attentionEqualsNaive(length: Int, queries: Range<Int>) {
        let pool = ScratchPool()
        let width = 128
        let qkv = pool.plane(length, 1, 3 * width, Noise.values(length * 3 * width, seed: 5))
        let out = pool.attention(qkv: qkv, queries: queries)
        for (row, query) in queries.enumerated() where row % 9 == 0 {
            for head in 0..<2 {
                let expected = Naive.attention(qkv.values, width: width, length: length, head: head, query: query)
                for i in 0..<64 {
                    #expect(abs(Double(out.data[row * width + head * 64 + i]) - expected[i]) < 1e-5)
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
