import Tensor
import Testing

@testable import Training

/// The rectifier's passes against PyTorch's, and how it starts.
@Suite(.serialized)
struct RectifierTests {
    /// A rectifier of the fixture: up to 32 pixels (`small`) PyTorch takes attention's quadratic form; `heads` has two.
    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let shape: RectifierShape
        var testDescription: String { name }

        var numbers: Int { shape.numbers }

        func workspace(_ rectifier: Rectifier) -> RectifierWorkspace {
            rectifier.workspace(
                given(name + ".codes", numbers, spread: 2), target: given(name + ".target", numbers, spread: 2))
        }
    }

    static let cases = [
        Case(name: "small", shape: RectifierShape(channels: 4, height: 6, width: 5, features: 32, layers: 2)),
        Case(name: "linear", shape: RectifierShape(channels: 4, height: 7, width: 6, features: 32, layers: 1)),
        Case(name: "heads", shape: RectifierShape(channels: 8, height: 5, width: 7, features: 64, layers: 1)),
    ]

    @Test(arguments: cases)
    func passesEqualPyTorchs(example: Case) throws {
        let fixture = try GradientFixture(), rectifier = Rectifier.recipe(example.shape)
        try atEveryLevel {
            let space = example.workspace(rectifier)
            let gradient = rectifier.gradient(space)
            try fixture.expect(rectifier.result(space), is: example.name + ".result", within: 2e-6)
            try fixture.expect([Float(rectifier.loss(space))], is: example.name + ".loss", within: 1e-6)
            for (name, _, values) in rectifier.tensors(of: gradient) {
                try fixture.expect(values, is: "\(example.name).\(name)", within: 2e-5)
            }
        }
    }

    /// Central differences along the gradient, which only a gradient of the right length fits, and along a random
    /// direction, tensor by tensor.
    @Test(arguments: cases)
    func gradientEqualsFiniteDifferences(example: Case) {
        let rectifier = Rectifier.recipe(example.shape), space = example.workspace(rectifier)
        let gradient = rectifier.gradient(space)
        for parameter in rectifier.table.parameters {
            let range = parameter.offset..<parameter.offset + parameter.count
            let g = gradient[range].map(Double.init), length = norm(g)
            let signs = given("direction." + parameter.name, parameter.count).map { $0 < 0 ? -1.0 : 1.0 }
            for direction in [g, signs] {
                let unit = norm(direction), v = direction.map { $0 / unit }
                let found = slope(rectifier, space, range, along: v)
                let expected = zip(g, v).reduce(0) { $0 + $1.0 * $1.1 }
                #expect(abs(found - expected) < 0.01 * length, "\(parameter.name): \(found), not \(expected)")
            }
        }
    }

    private func slope(
        _ rectifier: Rectifier, _ space: RectifierWorkspace, _ range: Range<Int>, along v: [Double]
    ) -> Double {
        let p = rectifier.parameters.data, before = range.map { p[$0] }, step = 0.003
        func loss(_ distance: Double) -> Double {
            for (index, at) in range.enumerated() { p[at] = Float(Double(before[index]) + distance * v[index]) }
            return rectifier.loss(space)
        }
        let difference = loss(step) - loss(-step)
        for (index, at) in range.enumerated() { p[at] = before[index] }
        return difference / (2 * step)
    }

    /// A second pass in the same room finds nothing of the first, and gradients add up.
    @Test func passesLeaveNothingBehind() {
        let example = Self.cases[0], rectifier = Rectifier.recipe(example.shape)
        let space = example.workspace(rectifier)
        let first = rectifier.gradient(space), second = rectifier.gradient(space)
        #expect(first == second)
        var sum = first
        sum.withUnsafeMutableBufferPointer { sum in
            if let base = sum.baseAddress { rectifier.backward(space, base) }
        }
        #expect(relativeError(sum, first.map { 2 * $0 }) < 1e-6)
    }

    @Test func tensorsRoundTrip() throws {
        let shape = Self.cases[2].shape
        let one = Rectifier(shape, seed: 1), other = Rectifier(shape, seed: 2)
        #expect(one.parameters.array != other.parameters.array)
        let tensors = one.tensors()
        #expect(Set(tensors.map(\.name)).count == tensors.count)
        #expect(tensors.allSatisfy { $0.values.count == $0.shape.reduce(1, *) })
        #expect(tensors.map(\.values.count).reduce(0, +) == one.parameters.count)
        try other.load { name, shape in
            let found = try #require(tensors.first { $0.name == name })
            #expect(found.shape == shape)
            return found.values
        }
        #expect(one.parameters.array == other.parameters.array)
    }

    /// PyTorch's order against the flat array's: outputs, inputs, rows, columns.
    @Test func tensorsLieAsPyTorchs() throws {
        let rectifier = Rectifier(Self.cases[0].shape, seed: 1), at = rectifier.table.input.weight
        let input = try #require(rectifier.tensors().first { $0.name == "conv_in.weight" })
        let depth = try #require(rectifier.tensors().first { $0.name == "up_blocks.0.1.conv_out.conv_depth.weight" })
        #expect(input.shape == [32, 4, 3, 3] && depth.shape == [256, 1, 3, 3])
        #expect(input.values[((5 * 4 + 3) * 3 + 1) * 3 + 2] == rectifier.parameters.data[at + (5 * 9 + 5) * 4 + 3])
    }

    /// Uniform within 1 / sqrt(fan-in), gains 1, biases of norms 0.
    @Test func startsAsPyTorchDoes() throws {
        let tensors = Rectifier(Self.cases[2].shape, seed: 3).tensors()
        func values(_ name: String) throws -> [Float] { try #require(tensors.first { $0.name == name }).values }
        #expect(try values("norm_out.weight").allSatisfy { $0 == 1 })
        #expect(try values("norm_out.bias").allSatisfy { $0 == 0 })
        for (name, fanIn) in [("conv_in.weight", 72.0), ("conv_in.bias", 72), ("conv_out.weight", 576)] {
            let bound = 1 / fanIn.squareRoot(), numbers = try values(name).map(Double.init)
            #expect(numbers.allSatisfy { abs($0) <= bound })
            #expect((numbers.max() ?? 0) > 0.8 * bound && (numbers.min() ?? 0) < -0.8 * bound)
        }
    }

    /// As far as the last norm's divisor stays the same, which many channels even out.
    @Test(arguments: [1, 3])
    func identityPassesItsInputThrough(layers: Int) {
        let rectifier = Rectifier(
            RectifierShape(channels: 32, height: 8, width: 8, features: 128, layers: layers), seed: 1)
        rectifier.startAsIdentity()
        var random = Random(seed: 1, .codes)
        let codes = (0..<rectifier.shape.numbers).map { _ in Float(random.normal()) }
        let space = rectifier.workspace(codes, target: codes)
        let error = rectifier.loss(space).squareRoot()
        #expect(error < 1e-3, "\(error)")
    }

    /// Blocks learn through their gains at first.
    @Test func identityHasGradients() {
        let rectifier = Rectifier(Self.cases[0].shape, seed: 1)
        rectifier.startAsIdentity()
        let gradient = rectifier.gradient(Self.cases[0].workspace(rectifier))
        for (name, _, values) in rectifier.tensors(of: gradient) {
            let isInside = name.hasPrefix("up_blocks") && !name.contains("norm")
            #expect(values.allSatisfy { $0.isFinite })
            #expect((norm(values.map(Double.init)) == 0) == isInside, "\(name)")
        }
    }
}
