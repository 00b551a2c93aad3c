import Testing

@testable import Models

/// Values of PyTorch 2.13: `torch.manual_seed(s); torch.rand(n)`.
struct TorchGeneratorTests {
    private static let first: [(seed: UInt64, values: [Float])] = [
        (0, [0.49625659, 0.7682218, 0.08847743, 0.13203049]),
        (7, [0.53492254, 0.19880319, 0.6592117, 0.6568903]),
    ]

    @Test(arguments: first)
    func equalsTorch(seed: UInt64, expected: [Float]) {
        var generator = TorchGenerator(seed: seed)
        #expect(generator.uniforms(4) == expected)
    }

    /// Beyond one block of 624, and with a seed whose high word torch drops.
    @Test func laterValuesAndWideSeeds() {
        var generator = TorchGenerator(seed: 5)
        let many = generator.uniforms(2000)
        #expect(many[1999] == lastOfTwoThousand)
        var wide = TorchGenerator(seed: 5 + (1 << 32))
        #expect(wide.uniforms(2000) == many)
    }

    private let lastOfTwoThousand: Float = 0.5023095607757568
}
