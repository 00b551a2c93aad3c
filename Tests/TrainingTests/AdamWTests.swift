import Foundation
import JSON
import Tensor
import Testing

@testable import Training

@Suite(.serialized)
struct AdamWTests {
    /// Eight steps at a falling rate with weight decay; every other gradient is clipped.
    @Test func equalsPyTorchs() throws {
        let expected = try GradientFixture()("adamw.parameters")
        atEveryLevel {
            let optimizer = AdamW(count: 37, decay: 0.1)
            let parameters = FloatBuffer(given("adamw.p", 37))
            for step in 0..<8 {
                let gradients = FloatBuffer(given("adamw.g\(step)", 37, spread: step % 2 == 1 ? 0.25 : 2))
                optimizer.step(
                    parameters.data, gradients.data, rate: 0.01 * Float(power(0.5, step)), step: step + 1, limit: 1)
                let error = zip(parameters.array, expected[step * 37..<(step + 1) * 37]).map { abs($0 - $1) }.max()
                #expect((error ?? .infinity) < 2e-7, "step \(step)")
            }
        }
    }

    /// Gradients as small as epsilon, and a norm beside which the clipping's own counts (`make_faint_adamw.py`).
    @Test(arguments: ["free", "clipped"]) func faintGradientsEqualPyTorchs(name: String) throws {
        let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appending(path: "Fixtures/adamw-faint.json")
        let fixture = try JSONValue.parse(Array(Data(contentsOf: path)))
        func floats(_ value: JSONValue?) throws -> [Float] {
            try #require(value?.arrayValue).map { Float(try #require($0.doubleValue)) }
        }
        let gradients = try floats(fixture["gradients"]), factors = try floats(fixture["factors"])
        let rows = try #require(fixture[name]?.arrayValue).map { try floats($0) }
        let limit = name == "free" ? Double.infinity : try #require(fixture["limit"]?.doubleValue)
        try #require(rows.count == factors.count)
        atEveryLevel {
            let optimizer = AdamW(count: gradients.count, decay: 0.1)
            let parameters = FloatBuffer([Float](repeating: 0, count: gradients.count))
            for (step, factor) in factors.enumerated() {
                let scaled = FloatBuffer(gradients.map { $0 * factor })
                optimizer.step(parameters.data, scaled.data, rate: 0.01, step: step + 1, limit: limit)
                let error = zip(parameters.array, rows[step]).map { abs($0 - $1) }.max()
                #expect((error ?? .infinity) < 1e-7, "step \(step): \(parameters.array)")
            }
        }
    }

    /// Both corrected moments are 1 after a gradient of 1: it takes 1 - beta to all of float32's digits.
    @Test func firstStepIsTheRate() {
        atEveryLevel {
            let optimizer = AdamW(count: 1, decay: 0.1)
            let parameter = FloatBuffer([0]), gradient = FloatBuffer([1])
            optimizer.step(parameter.data, gradient.data, rate: 0.01, step: 1, limit: 2)
            #expect(abs(parameter.data[0] / -0.01 - 1) < 5e-7)
        }
    }

    /// More numbers than a thread takes at once, and no multiple of a vector.
    @Test func anyNumberOfThreadsGivesTheSame() {
        let count = 3 * 16384 + 5
        let results = [1, 2].map { threads in
            withThreads(threads) {
                let optimizer = AdamW(count: count, decay: 0.1)
                let parameters = FloatBuffer(given("adamw.p", count)), gradients = FloatBuffer(given("adamw.g", count))
                for step in 1...3 { optimizer.step(parameters.data, gradients.data, rate: 0.1, step: step, limit: 1) }
                return parameters.array
            }
        }
        #expect(results[0] == results[1])
        #expect(zip(results[0], given("adamw.p", count)).allSatisfy { $0 != $1 })
    }

    @Test func partsAreAdded() {
        let count = 16384 + 3
        let parts = (0..<3).map { given("part\($0)", count) }
        let first = FloatBuffer(parts[0]), second = FloatBuffer(parts[1]), third = FloatBuffer(parts[2])
        sumGradients([first.data, second.data, third.data], count: count)
        let sums: [Float] = (0..<count).map { index in
            let two: Float = parts[0][index] + parts[1][index]
            return two + parts[2][index]
        }
        #expect(first.array == sums)
        #expect(second.array == parts[1] && third.array == parts[2])
    }

    @Test(arguments: [(0.9, 0), (0.9, 1), (0.999, 10), (0.5, 1023)])
    func powers(base: Double, exponent: Int) {
        let expected = (0..<exponent).reduce(1.0) { product, _ in product * base }
        #expect(abs(power(base, exponent) / expected - 1) < 1e-12)
    }
}
