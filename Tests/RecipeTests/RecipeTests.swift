import Recipe
import Testing

/// Values from the Python recipe (`recipe.py`), by bit pattern or by FNV-1a of the float32 bytes.
@Suite struct RecipeTests {
    @Test func hashes() {
        #expect(splitmix64(0) == 16_294_208_416_658_607_535)
        #expect(splitmix64(.max) == 16_490_336_266_968_443_936)
        #expect(fnv1a64("a.weight") == 16_029_347_488_473_366_350)
        #expect(fnv1a64("") == 0xCBF2_9CE4_8422_2325)
    }

    @Test func uniformValues() {
        let first = uniform("a.weight", count: 3).map(\.bitPattern)
        #expect(first == [0xBEDE_9628, 0x3EE1_E1F8, 0x3EEB_11E0])
        let later = uniform("a.weight", count: 3, seed: 7, start: 1 << 22).map(\.bitPattern)
        #expect(later == [0xBF5F_57DE, 0xBD67_2220, 0xBDAB_7020])
    }

    @Test func startIsAnOffset() {
        let whole = uniform("x", count: 1000, seed: 9)
        #expect(uniform("x", count: 300, seed: 9, start: 700) == Array(whole[700...]))
        #expect(uniform("x", count: 0).isEmpty)
    }

    @Test(
        arguments: [
            ("x.std", [5], 0x0BC3_E4DA_BC25_435D),
            ("x.mean", [5], 0x94F6_7004_F1B7_F9E2),
            ("x.bias", [5], 0x2D31_264C_C732_71A0),
            ("x.in_proj_bias", [5], 0x5120_5BF7_94B7_6AF5),
            ("norm.weight", [5], 0xEB7C_98B0_C401_B33C),
            ("lin.weight", [3, 7], 0xDDB4_A6DC_CF81_DDEB),
            ("conv.weight", [2, 3, 5, 5], 0x13B4_8227_5649_69C2),
            ("quantize.embedding", [4, 2], 0x6C87_9813_37E2_70EC),
            ("embeddings", [2, 3, 4], 0xEC45_86DD_EAFE_9407),
            ("x.embedding.weight", [3, 3], 0x5365_85B1_F2C5_B24B),
            ("latent_tokens", [5, 2], 0x0C8F_CE7D_BA67_9FC0),
            ("class_token", [1, 1, 6], 0x8E9E_E391_77F0_0D16),
            ("pos_embed.weight", [4, 3], 0xB636_FF41_4067_1ED6),
            ("weight", [4], 0x3356_625D_143C_273F),
            ("scalar", [], 0xD7F0_997F_E26B_B228),
        ] as [(String, [Int], UInt64)])
    func tensorValues(name: String, shape: [Int], checksum: UInt64) {
        let values = tensor(name, shape: shape, seed: 3)
        #expect(values.count == shape.reduce(1, *))
        let bytes = values.flatMap { value in
            (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) }
        }
        #expect(fnv1a64(bytes) == checksum)
    }
}
