import Tensor
import Testing

@testable import Training

@Suite(.serialized)
struct CodebookTests {
    private func books(_ books: Int, _ count: Int, _ dimensions: Int, _ values: [Float]) -> LearnedCodebooks {
        let codebooks = LearnedCodebooks(books: books, count: count, dimensions: dimensions)
        codebooks.load(values, into: codebooks.codes.data)
        return codebooks
    }

    /// 7 images of 6 tokens; a book for each, or one for all.
    @Test(arguments: [("separate", 6), ("shared", 1)])
    func learningEqualsPyTorchs(name: String, count: Int) throws {
        let fixture = try GradientFixture()
        let x = FloatBuffer(given(name + ".x", 7 * 6 * 5, spread: 2)), quantized = FloatBuffer(count: 7 * 6 * 5)
        let codes = given(name + ".codes", count * 19 * 5, spread: 2), ids = try fixture(name + ".ids").map(Int32.init)
        try atEveryLevel {
            let codebooks = books(count, 19, 5, codes)
            #expect(codebooks.assign(x.data, rows: 42, quantized: quantized.data) == ids)
            for (row, id) in ids.enumerated() {
                let at = (row % count * 19 + Int(id)) * 5
                #expect(quantized.array[row * 5..<(row + 1) * 5] == codes[at..<at + 5])
            }
            let sum = codebooks.learn(x.data, quantized: quantized.data, ids: ids, scale: 2 / 210)
            try fixture.expect([Float(sum / 210)], is: name + ".loss", within: 1e-6)
            let gradient = codebooks.values(of: codebooks.gradients.data)
            try fixture.expect(gradient, is: name + ".gradient", within: 1e-6)
            var uses = [Int32](repeating: 0, count: count * 19)
            for (row, id) in ids.enumerated() { uses[row % count * 19 + Int(id)] += 1 }
            #expect(codebooks.uses == uses)
        }
    }

    @Test func valuesRoundTrip() {
        let values = given("codes", 3 * 17 * 4)
        #expect(books(3, 17, 4, values).values() == values)
    }

    /// Of ten codes at most two move: to the most used ones and a little off, the rest stay.
    @Test func unusedCodesMoveToTheMostUsed() {
        let values = (0..<20).map { Float(10 * $0) }
        let codebooks = books(2, 10, 1, values)
        codebooks.uses = [0, 3, 0, 9, 1, 0, 5, 0, 1, 1] + [1, 1, 1, 1, 1, 2, 1, 0, 1, 1]
        #expect(abs(codebooks.usage - 15.0 / 20) < 1e-12)
        #expect(codebooks.reset(share: 0.2, noise: 0.1, seed: 1, epoch: 0) == 3)
        let moved = codebooks.values()
        let models = [5: 3, 7: 6, 17: 15]
        for index in 0..<20 {
            let difference = abs(moved[index] - values[models[index] ?? index])
            #expect(models[index] == nil ? difference == 0 : difference > 0 && difference < 0.6, "code \(index)")
        }
        #expect(codebooks.uses.allSatisfy { $0 == 0 })
    }

    @Test(arguments: [(share: 0.2, uses: Int32(1)), (share: 0, uses: 0), (share: 0.2, uses: 0)])
    func noCodeMoves(share: Double, uses: Int32) {
        let values = given("codes", 40)
        let codebooks = books(1, 10, 4, values)
        codebooks.uses = [Int32](repeating: uses, count: 10)
        #expect(codebooks.reset(share: share, noise: 0.1, seed: 1, epoch: 0) == 0)
        #expect(codebooks.values() == values)
        #expect(codebooks.uses.allSatisfy { $0 == 0 })
    }

    /// One used code is the model of all that move, and stays.
    @Test func fewUsedCodesServeAgain() {
        let codebooks = books(1, 10, 1, (0..<10).map { Float(10 * $0) })
        codebooks.uses = [0, 0, 0, 0, 0, 0, 0, 0, 4, 0]
        #expect(codebooks.reset(share: 1, noise: 0.1, seed: 1, epoch: 0) == 9)
        #expect(codebooks.values().allSatisfy { abs($0 - 80) < 0.6 })
        #expect(codebooks.values()[8] == 80 && Set(codebooks.values()).count == 10)
    }

    /// Noise is of the given size, and differs by seed and epoch only.
    @Test func noiseIsNormal() {
        func moved(seed: UInt64, epoch: Int) -> [Float] {
            let codebooks = books(1, 4000, 1, [Float](repeating: 0, count: 4000))
            codebooks.uses = [Int32](repeating: 1, count: 2000) + [Int32](repeating: 0, count: 2000)
            #expect(codebooks.reset(share: 0.5, noise: 0.1, seed: seed, epoch: epoch) == 2000)
            return codebooks.values()
        }
        let noise = moved(seed: 1, epoch: 2)
        #expect(noise[..<2000].allSatisfy { $0 == 0 })
        let mean = noise[2000...].reduce(0.0) { $0 + Double($1) } / 2000
        let deviation = (noise[2000...].reduce(0.0) { $0 + Double($1 * $1) } / 2000).squareRoot()
        #expect(abs(mean) < 0.01 && abs(deviation - 0.1) < 0.01)
        #expect(noise == moved(seed: 1, epoch: 2))
        #expect(noise != moved(seed: 1, epoch: 3) && noise != moved(seed: 2, epoch: 2))
    }

    /// Each book's is its own.
    @Test func booksDoNotShareNoise() {
        let codebooks = books(3, 4, 2, [Float](repeating: 0, count: 24))
        codebooks.uses = [1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0]
        #expect(codebooks.reset(share: 0.5, noise: 0.1, seed: 1, epoch: 2) == 6)
        let values = codebooks.values()
        let moved = (0..<3).map { Array(values[($0 * 4 + 2) * 2..<($0 + 1) * 8]) }
        #expect(Set(moved).count == 3 && moved.allSatisfy { $0.allSatisfy { $0 != 0 } })
    }
}
