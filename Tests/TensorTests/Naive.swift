import Foundation

@testable import Tensor

/// Reproducible numbers in [-scale, scale).
enum Noise {
    static func values(_ count: Int, seed: UInt64, scale: Float = 1) -> [Float] {
        var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
        return (0..<count).map { _ in
            state ^= state << 13
            state ^= state >> 7
            state ^= state << 17
            return (Float(state >> 40) * 0x1p-23 - 1) * scale
        }
    }
}

/// What kernels compute, one number at a time in double precision.
enum Naive {
    static func silu(_ x: Double) -> Double { x / (1 + exp(-x)) }

    static func activate(_ x: Double, _ activation: Activation) -> Double {
        switch activation {
        case .none: x
        case .gelu: 0.5 * x * (1 + erf(x / 2.squareRoot()))
        case .tanh: tanh(x)
        case .silu: silu(x)
        case .relu: max(x, 0)
        }
    }

    static func attention(_ qkv: [Float], width: Int, length: Int, head: Int, query: Int) -> [Double] {
        let ld = 3 * width
        let scores = (0..<length).map { key in
            (0..<64).reduce(0.0) { sum, i in
                sum + Double(qkv[query * ld + head * 64 + i]) * Double(qkv[key * ld + width + head * 64 + i])
            } / 8
        }
        let top = scores.max() ?? 0
        let weights = scores.map { exp($0 - top) }
        let total = weights.reduce(0, +)
        return (0..<64).map { i in
            (0..<length).reduce(0.0) { $0 + weights[$1] * Double(qkv[$1 * ld + 2 * width + head * 64 + i]) } / total
        }
    }

    static func linearAttention(_ qkv: [Float], pixels: Int, heads: Int, head: Int, query: Int) -> [Double] {
        let ld = heads * 96, base = head * 96
        let weights = (0..<pixels).map { key in
            (0..<32).reduce(0.0) { sum, i in
                sum + max(Double(qkv[query * ld + base + i]), 0) * max(Double(qkv[key * ld + base + 32 + i]), 0)
            }
        }
        let total = weights.reduce(0, +) + 1e-15
        return (0..<32).map { i in
            (0..<pixels).reduce(0.0) { $0 + weights[$1] * Double(qkv[$1 * ld + base + 64 + i]) } / total
        }
    }
}
