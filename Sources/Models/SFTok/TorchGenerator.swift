/// PyTorch's CPU generator: mt19937 (Matsumoto and Nishimura 1998) seeded with the low 32 bits, and `torch.rand`'s
/// float32 numbers: the low 24 bits of each output over 2^24.
package struct TorchGenerator {
    private var state: [UInt32]
    private var position = 624

    package init(seed: UInt64) {
        state = [UInt32](repeating: 0, count: 624)
        state[0] = UInt32(truncatingIfNeeded: seed)
        for index in 1..<624 {
            let previous = state[index - 1]
            state[index] = 1_812_433_253 &* (previous ^ (previous >> 30)) &+ UInt32(index)
        }
    }

    private mutating func twist() {
        state.withUnsafeMutableBufferPointer { state in
            for index in 0..<624 {
                let mixed = (state[index] & 0x8000_0000) | (state[(index + 1) % 624] & 0x7FFF_FFFF)
                let odd: UInt32 = mixed & 1 == 0 ? 0 : 0x9908_B0DF
                state[index] = state[(index + 397) % 624] ^ (mixed >> 1) ^ odd
            }
        }
        position = 0
    }

    package mutating func next() -> UInt32 {
        if position == 624 { twist() }
        var word = state[position]
        position += 1
        word ^= word >> 11
        word ^= (word << 7) & 0x9D2C_5680
        word ^= (word << 15) & 0xEFC6_0000
        return word ^ (word >> 18)
    }

    /// `count` numbers of `torch.rand`, in [0, 1).
    package mutating func uniforms(_ count: Int) -> [Float] {
        [Float](unsafeUninitializedCapacity: count) { buffer, filled in
            for index in 0..<count { buffer[index] = Float(next() & 0xFF_FFFF) * 0x1p-24 }
            filled = count
        }
    }
}
