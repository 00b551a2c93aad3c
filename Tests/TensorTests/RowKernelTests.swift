import Foundation
import Testing

@testable import Tensor

@Suite(.serialized)
struct RowKernelTests {
    /// Runs the body at every level the processor has.
    func atEveryLevel(_ body: () throws -> Void) rethrows {
        for level in Compute.Level.allCases where level.rawValue <= Compute.bestLevel.rawValue {
            Compute.force(level)
            try body()
        }
        Compute.force(Compute.bestLevel)
    }

    func affine(_ width: Int) -> (Affine, gain: [Float], bias: [Float]) {
        let gain = Noise.values(width, seed: 21), bias = Noise.values(width, seed: 22)
        return (Affine(gain: FloatBuffer(gain), bias: FloatBuffer(bias)), gain, bias)
    }

    @Test(arguments: [1, 3, 16, 100, 768], [1, 7])
    func layerAndRMSNorm(width: Int, rows: Int) {
        let pool = ScratchPool()
        let x = Noise.values(rows * width, seed: 1, scale: 3), r = Noise.values(rows * width, seed: 2)
        let (norm, gain, bias) = affine(width)
        atEveryLevel {
            let y = norm.layerNorm(pool.plane(rows, 1, width, x), eps: 1e-5, pool)
            let z = pool.plane(rows, 1, width, x)
            norm.rmsNorm(inPlace: z, residual: pool.plane(rows, 1, width, r))
            let positive = pool.plane(rows, 1, width, x)
            norm.rmsNorm(inPlace: positive, relu: true)
            for row in 0..<rows {
                let values = x[row * width..<(row + 1) * width].map(Double.init)
                let mean = values.reduce(0, +) / Double(width)
                let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(width)
                let square = values.reduce(0) { $0 + $1 * $1 } / Double(width)
                for i in 0..<width {
                    let at = row * width + i
                    let g = Double(gain[i]), b = Double(bias[i])
                    #expect(
                        abs(Double(y.data[at]) - ((values[i] - mean) / (variance + 1e-5).squareRoot() * g + b)) < 1e-4)
                    let rms = values[i] / (square + 1e-5).squareRoot() * g + b
                    #expect(abs(Double(z.data[at]) - rms - Double(r[at])) < 1e-5)
                    #expect(abs(Double(positive.data[at]) - max(0, rms)) < 1e-5)
                }
            }
        }
    }

    @Test(arguments: [(32, 5), (64, 1030), (128, 33)])
    func groupNorm(channels: Int, pixels: Int) {
        let pool = ScratchPool()
        let x = Noise.values(channels * pixels, seed: 1).map { $0 * 2 + 5 }
        let (norm, gain, bias) = affine(channels)
        let each = channels / 32
        atEveryLevel {
            let y = norm.groupNormSiLU(pool.plane(pixels, 1, channels, x), pool)
            for group in 0..<32 {
                let members = (0..<pixels).flatMap { p in (0..<each).map { Double(x[p * channels + group * each + $0]) }
                }
                let mean = members.reduce(0, +) / Double(members.count)
                let variance = members.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(members.count)
                for p in stride(from: 0, to: pixels, by: 7) {
                    for c in group * each..<(group + 1) * each {
                        let n = (Double(x[p * channels + c]) - mean) / (variance + 1e-6).squareRoot()
                        let expected = Naive.silu(n * Double(gain[c]) + Double(bias[c]))
                        #expect(abs(Double(y.data[p * channels + c]) - expected) < 1e-4)
                    }
                }
            }
        }
    }

    /// Numbers as small as epsilon's root, where it decides: another one shows in the first digit.
    @Test(arguments: [3, 32, 100])
    func epsilonCounts(width: Int) {
        let pool = ScratchPool()
        let rows = 7
        let x = Noise.values(rows * width, seed: 1).map { $0 / 256 }
        let (norm, gain, bias) = affine(width)
        atEveryLevel {
            let y = norm.layerNorm(pool.plane(rows, 1, width, x), eps: 1e-5, pool)
            let z = pool.plane(rows, 1, width, x)
            norm.rmsNorm(inPlace: z)
            for row in 0..<rows {
                let values = x[row * width..<(row + 1) * width].map(Double.init)
                let mean = values.reduce(0, +) / Double(width)
                let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(width)
                let square = values.reduce(0) { $0 + $1 * $1 } / Double(width)
                for i in 0..<width {
                    let at = row * width + i, g = Double(gain[i]), b = Double(bias[i])
                    let normed = (values[i] - mean) / (variance + 1e-5).squareRoot() * g + b
                    #expect(abs(Double(y.data[at]) - normed) < 1e-5)
                    #expect(abs(Double(z.data[at]) - (values[i] / (square + 1e-5).squareRoot() * g + b)) < 1e-5)
                }
            }
        }
    }

    /// Of the group norm, 1e-6.
    @Test func epsilonOfGroupsCounts() {
        let pool = ScratchPool()
        let x = Noise.values(64 * 33, seed: 1).map { $0 / 1024 }
        let (norm, gain, bias) = affine(64)
        atEveryLevel {
            let y = norm.groupNormSiLU(pool.plane(33, 1, 64, x), pool)
            for group in 0..<32 {
                let members = (0..<33).flatMap { p in (0..<2).map { Double(x[p * 64 + group * 2 + $0]) } }
                let mean = members.reduce(0, +) / Double(members.count)
                let variance = members.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(members.count)
                for p in 0..<33 {
                    for c in group * 2..<group * 2 + 2 {
                        let n = (Double(x[p * 64 + c]) - mean) / (variance + 1e-6).squareRoot()
                        let expected = Naive.silu(n * Double(gain[c]) + Double(bias[c]))
                        #expect(abs(Double(y.data[p * 64 + c]) - expected) < 1e-5)
                    }
                }
            }
        }
    }

    /// Rows whose numbers are all far below or far above zero: the largest is taken off first.
    @Test(arguments: [1, 15, 16, 17, 31, 321])
    func softmaxOfShiftedRows(width: Int) {
        let x = Noise.values(3 * width, seed: 1)
        let shifts: [Float] = [-1000, 0, 1000]
        atEveryLevel {
            let shifted = x.enumerated().map { $1 + shifts[$0 / width] }
            let y = ScratchPool().plane(3, 1, width, shifted)
            y.softmax()
            for row in 0..<3 {
                let values = shifted[row * width..<(row + 1) * width].map { Double($0 - shifts[row]) }
                let total = values.reduce(0) { $0 + exp($1) }
                for i in 0..<width { #expect(abs(Double(y.data[row * width + i]) - exp(values[i]) / total) < 1e-6) }
            }
        }
    }

    /// The exponential to nearly all of float32's digits, relative: between zero and where softmax's results lose
    /// theirs.
    @Test func exponentialsAreExact() {
        let exponents = (0..<4000).map { Float($0) / -100 }
        atEveryLevel {
            let y = ScratchPool().plane(exponents.count, 1, 2, exponents.flatMap { [0, $0] })
            y.softmax()
            for (row, exponent) in exponents.enumerated() {
                let ratio = Double(y.data[2 * row + 1]) / Double(y.data[2 * row])
                #expect(abs(ratio / exp(Double(exponent)) - 1) < 5e-7, "e^\(exponent)")
            }
        }
    }

    @Test(arguments: [1, 5, 16, 321, 1024])
    func softmaxAndGate(width: Int) {
        let pool = ScratchPool()
        let x = Noise.values(4 * 2 * width, seed: 1, scale: 20)
        atEveryLevel {
            let y = pool.plane(8, 1, width, x)
            y.softmax()
            let gated = pool.plane(4, 1, 2 * width, x).gated(pool)
            for row in 0..<8 {
                let values = x[row * width..<(row + 1) * width].map(Double.init)
                let total = values.reduce(0) { $0 + exp($1) }
                for i in 0..<width { #expect(abs(Double(y.data[row * width + i]) - exp(values[i]) / total) < 1e-6) }
            }
            for row in 0..<4 {
                for i in 0..<width {
                    let at = row * 2 * width + i
                    let expected = Double(x[at]) * Naive.silu(Double(x[at + width]))
                    #expect(abs(Double(gated.data[row * width + i]) - expected) < 1e-4)
                }
            }
        }
    }

    @Test func shufflesAreInverse() {
        let pool = ScratchPool()
        let values = Noise.values(4 * 6 * 8, seed: 1)
        let x = pool.plane(4, 6, 8, values)
        #expect(x.pixelUnshuffled(pool).pixelShuffled(shortcut: nil, pool).values == values)
    }

    /// Means of a shortcut against their definition: channel o averages channels o * g ..< (o + 1) * g of the
    /// unshuffled.
    @Test(arguments: [4, 8, 16, 32])
    func shortcutMeans(outputs: Int) {
        let pool = ScratchPool()
        let x = pool.plane(4, 4, 8, Noise.values(128, seed: 1))
        let unshuffled = x.pixelUnshuffled(pool)
        let y = pool.plane(2, 2, outputs, [Float](repeating: 1, count: 4 * outputs))
        let z = pool.plane(2, 2, outputs, [Float](repeating: 1, count: 4 * outputs))
        y.addUnshuffledMeans(of: x)
        z.addGroupMeans(of: unshuffled)
        #expect(zip(y.values, z.values).allSatisfy { abs($0 - $1) < 1e-6 })
        let group = 32 / outputs
        let first = (0..<group).reduce(Float(1)) { $0 + unshuffled.data[$1] / Float(group) }
        #expect(abs(y.data[0] - first) < 1e-6)
    }

    @Test(arguments: [(1, 4), (1, 8), (3, 5), (2, 32)], [1, 15, 16, 1000])
    func nearestEqualsExhaustive(shape: (books: Int, d: Int), count: Int) {
        let (books, d) = shape
        let codes = Noise.values(books * count * d, seed: 1)
        let queries = Noise.values(12 * d, seed: 2)
        let codebooks = Codebooks(books: books, count: count, dimensions: d, codes: FloatBuffer(codes))
        #expect(codebooks.values == codes)
        atEveryLevel {
            let found = codebooks.nearest(queries, count: 12)
            for q in 0..<12 {
                let base = q % books * count * d
                let distances = (0..<count).map { k in
                    (0..<d).reduce(Float(0)) { sum, i in
                        let v = codes[base + k * d + i] - queries[q * d + i]
                        return sum + v * v
                    }.squareRoot()
                }
                let sorted = distances.sorted()
                #expect(abs(distances[Int(found.ids[q])] - sorted[0]) < 1e-6)
                if count > 1 { #expect(abs(found.margins[q] - (sorted[1] - sorted[0])) < 1e-5) }
            }
        }
    }

    /// Any codes, some twice, in a lump, on a grid with many at the same distance, all the same, two far lumps.
    private static func codes(_ kind: String, _ count: Int, _ d: Int, book: Int) -> [Float] {
        let noise = Noise.values(count * d, seed: UInt64(3 + book))
        switch kind {
        case "twice": return (0..<count * d).map { noise[$0 / d / 2 * d + $0 % d] }
        case "lump": return noise.map { 5 + $0 * $0 * $0 * 0.01 }
        case "grid": return noise.map { ($0 * 2).rounded() }
        case "same": return [Float](repeating: 0.5, count: count * d)
        case "far": return noise.enumerated().map { $1 + ($0 / d % 2 == 0 ? 1e6 : -1e6) }
        default: return noise
        }
    }

    @Test(
        arguments: ["any", "twice", "lump", "grid", "same", "far"],
        [(1, 128, 8), (3, 129, 4), (2, 1000, 1), (1, 5000, 32), (2, 4097, 8)])
    func aTreeFindsWhatAnExhaustiveSearchFinds(kind: String, shape: (books: Int, count: Int, d: Int)) {
        let (books, count, d) = shape
        let codes = (0..<books).flatMap { Self.codes(kind, count, d, book: $0) }
        let flat = Codebooks(books: books, count: count, dimensions: d, codes: FloatBuffer(codes), isTree: false)
        let tree = Codebooks(books: books, count: count, dimensions: d, codes: FloatBuffer(codes), isTree: true)
        #expect(tree.values == codes)
        // Beside codes, on them, among them, far from all, and beyond what can be measured.
        let noise = Noise.values(60 * d, seed: 4)
        let beyond: [Float] = [.nan, .infinity, -.infinity, 1e30]
        let queries = noise.enumerated().map { index, value in
            switch index / d % 5 {
            case 4 where index % d == 0: beyond[index / d / 5 % 4]
            case 0: codes[index / d * 31 % count * d + index % d] + value * 0.01
            case 1: codes[index / d * 17 % count * d + index % d]
            case 2: value
            default: value * 100
            }
        }
        atEveryLevel {
            let (a, b) = (flat.nearest(queries, count: 60), tree.nearest(queries, count: 60))
            #expect(a.ids == b.ids)
            #expect(zip(a.margins, b.margins).allSatisfy { $0 == $1 || ($0.isNaN && $1.isNaN) })
        }
    }

    /// Large books are trees by themselves; what isn't finite can't be one.
    @Test(arguments: [Float(0.25), .nan, .infinity])
    func largeBooksOfAnyCodesAreSearched(value: Float) {
        var codes = Noise.values(32_768 * 2, seed: 5)
        codes[1000] = value
        let books = [nil, false].map {
            Codebooks(books: 1, count: 32_768, dimensions: 2, codes: FloatBuffer(codes), isTree: $0)
        }
        let queries = Noise.values(20, seed: 6)
        #expect(books[0].nearest(queries, count: 10).ids == books[1].nearest(queries, count: 10).ids)
    }

    @Test(arguments: [(40, false), (400, true)]) func equalDistancesTakeTheFirst(count: Int, isTree: Bool) {
        let codes = [Float](repeating: 0.5, count: count * 4)
        let found = Codebooks(
            books: 1, count: count, dimensions: 4, codes: FloatBuffer(codes), isTree: isTree
        ).nearest([0, 0, 0, 0], count: 1)
        #expect(found.ids == [0] && found.margins == [0])
    }
}
