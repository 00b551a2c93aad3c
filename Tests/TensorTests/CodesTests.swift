import Foundation
import Testing

@testable import Tensor

/// The kernels between vectors and ids against their definitions in double precision.
@Suite(.serialized)
struct CodesTests {
    @Test(arguments: [(1, 5, 4), (7, 33, 32), (64, 300, 32), (6, 4100, 8)])
    func distances(rows: Int, count: Int, d: Int) {
        let pool = ScratchPool()
        let codes = Noise.values(count * d, seed: 1), queries = Noise.values(rows * d, seed: 2)
        let books = Codebooks(books: 1, count: count, dimensions: d, codes: FloatBuffer(codes))
        defer { Compute.force(Compute.bestLevel) }
        for level in Compute.Level.allCases where level.rawValue <= Compute.bestLevel.rawValue {
            Compute.force(level)
            let out = books.distances(pool.plane(rows, 1, d, queries), pool)
            for row in 0..<rows {
                for code in 0..<count {
                    let square = (0..<d).reduce(0.0) { sum, i in
                        let difference = Double(queries[row * d + i]) - Double(codes[code * d + i])
                        return sum + difference * difference
                    }
                    #expect(abs(Double(out.data[row * count + code]) - square.squareRoot()) < 1e-5, "\(level)")
                }
            }
        }
    }

    /// Five rounds over codes and vectors, and the largest of each vector.
    @Test(arguments: [(3, 5), (16, 130), (5, 300), (64, 512)])
    func sinkhorn(rows: Int, codes: Int) {
        let values = Noise.values(rows * codes, seed: 3).map { 1 + $0 / 2 }
        let least = Double(values.min() ?? 0)
        var q = values.map { exp(-10 * (Double($0) - least)) }
        let total = q.reduce(0, +)
        q = q.map { $0 / (total + 1e-8) }
        for _ in 0..<5 {
            for code in 0..<codes {
                let sum = (0..<rows).reduce(0.0) { $0 + q[$1 * codes + code] }
                for row in 0..<rows { q[row * codes + code] /= (sum + 1e-8) * Double(codes) }
            }
            for row in 0..<rows {
                let sum = q[row * codes..<(row + 1) * codes].reduce(0, +)
                for code in 0..<codes { q[row * codes + code] /= (sum + 1e-8) * Double(rows) }
            }
        }
        let expected = (0..<rows).map { row in
            (0..<codes).max { q[row * codes + $0] < q[row * codes + $1] } ?? 0
        }
        defer { Compute.force(Compute.bestLevel) }
        for level in Compute.Level.allCases where level.rawValue <= Compute.bestLevel.rawValue {
            Compute.force(level)
            #expect(ScratchPool().plane(rows, 1, codes, values).sinkhorn() == expected.map(Int32.init), "\(level)")
        }
    }

    /// Uniforms of 0 and 1 included: both logarithms are cut off at 1e-20.
    @Test func gumbel() {
        let edges: [Float] = [0, 0x1p-24, 1 - 0x1p-24, 0.5]
        let uniforms = edges + Noise.values(5000, seed: 4).map { ($0 + 1) / 2 }
        let x = Noise.values(uniforms.count, seed: 5)
        let plane = ScratchPool().plane(1, 1, x.count, x)
        plane.addGumbel(uniforms: uniforms, scale: 0.75)
        for (index, uniform) in uniforms.enumerated() {
            let noise = -log(max(-log(max(Double(uniform), 1e-20)), 1e-20))
            let expected = Double(x[index]) + 0.75 * noise
            #expect(abs(Double(plane.data[index]) - expected) < 1e-5 * max(1, abs(expected)))
        }
    }

    @Test func rowsOfUnitLength() {
        let plane = ScratchPool().plane(2, 1, 2, [3, 4, 0, 0])
        plane.normalizeRows()
        #expect(plane.values == [0.6, 0.8, 0, 0])
        // Short ones too, down to 1e-12.
        let short = ScratchPool().plane(3, 1, 2, [3e-7, 4e-7, 3e-11, 4e-11, 3e-14, 0])
        short.normalizeRows()
        let error = zip(short.values, [0.6, 0.8, 0.6, 0.8, 0.03, 0]).map { abs($0 - $1) }.max()
        #expect((error ?? .infinity) < 1e-6, "\(short.values)")
    }
}
