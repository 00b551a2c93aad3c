#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// SplitMix64 (Steele, Lea and Flood 2014), keyed by a seed, a purpose and counters: what is drawn for epoch 7 depends
/// on nothing drawn before, so that a run resumed there goes on with the same numbers.
package struct Random: Sendable {
    /// What numbers are drawn for; each purpose has a sequence of its own.
    package enum Purpose: UInt64, Sendable {
        case crops = 1
        case split = 2
        case codes = 3
        case rectifier = 4
        case order = 5
        case reset = 6
        case clusters = 7
    }

    private var state: UInt64

    package init(seed: UInt64, _ purpose: Purpose, _ counters: Int...) {
        state = Self.mixed(seed &+ Self.increment)
        for key in [purpose.rawValue] + counters.map({ UInt64(bitPattern: Int64($0)) }) {
            state = Self.mixed(state ^ Self.mixed(key &+ Self.increment))
        }
    }

    private static let increment: UInt64 = 0x9E37_79B9_7F4A_7C15

    private static func mixed(_ value: UInt64) -> UInt64 {
        var z = value
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }

    package mutating func next() -> UInt64 {
        state &+= Self.increment
        return Self.mixed(state)
    }

    /// In [0, 1), of 53 bits.
    package mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

    /// 0 ..< bound, which is more than 0.
    package mutating func below(_ bound: Int) -> Int {
        precondition(bound > 0)
        return Int(next().multipliedFullWidth(by: UInt64(bound)).high)
    }

    /// Standard normal, by Box and Muller; a pair of uniforms gives one number.
    package mutating func normal() -> Double {
        let radius = (-2 * log(1 - uniform())).squareRoot()
        return radius * cos(2 * .pi * uniform())
    }

    /// 0 ..< count in random order (Fisher and Yates).
    package mutating func permutation(_ count: Int) -> [Int] {
        var order = Array(0..<count)
        for last in stride(from: count - 1, to: 0, by: -1) { order.swapAt(last, below(last + 1)) }
        return order
    }
}
