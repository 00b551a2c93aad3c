import TokenizerCore

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Which codes the tokens of some images use, and how evenly.
///
/// Over N images, the code k has at position t the relative frequency p(t, k) = (images with k at t) / N. An estimate
/// from N images can't exceed log2 N bits, so few images make a codebook look poorer than it is.
public struct CodeStatistics: Sendable, Equatable {
    /// T.
    public let positions: Int
    /// K, per position.
    public let codebookSize: Int
    /// Whether every position has a codebook of its own; else they share one.
    public let perPositionCodebooks: Bool
    /// N.
    public private(set) var images = 0
    /// (T, K): images with that code at that position.
    private var counts: [UInt32]

    public init(_ contract: TokenContract) {
        positions = contract.tokensPerImage
        codebookSize = contract.codebookSize
        perPositionCodebooks = contract.perPositionCodebooks
        counts = [UInt32](repeating: 0, count: positions * codebookSize)
    }

    /// Counts the tokens of one image.
    ///
    /// - Parameter ids: T local ids.
    /// - Throws: a wrong count, or an id outside 0 ..< K; nothing is counted then.
    public mutating func add(_ ids: [Int32]) throws(TokenizerError) {
        guard ids.count == positions else { throw .tokenCount(found: ids.count, expected: positions) }
        for (position, id) in ids.enumerated() where id < 0 || Int(id) >= codebookSize {
            throw .tokenRange(position: position, found: Int64(id), codebookSize: codebookSize)
        }
        for (position, id) in ids.enumerated() { counts[position * codebookSize + Int(id)] &+= 1 }
        images += 1
    }

    /// Codes there are in all: T K where every position has a codebook of its own, else K.
    public var codes: Int { perPositionCodebooks ? positions * codebookSize : codebookSize }

    /// Codes that some image uses at least once: of a shared codebook at any position.
    public var codesUsed: Int {
        perPositionCodebooks ? counts.count { $0 > 0 } : sharedCounts.count { $0 > 0 }
    }

    /// Codebook usage: `codesUsed / codes`, 0...1.
    public var usage: Double { codes > 0 ? Double(codesUsed) / Double(codes) : 0 }

    /// Entropy at each position in bits: H(t) = -sum over k of p(t, k) log2 p(t, k); shape (T), each 0...log2 K.
    public var positionEntropies: [Double] {
        (0..<positions).map { position in
            Self.entropy(counts[position * codebookSize..<(position + 1) * codebookSize])
        }
    }

    /// Entropy in bits over all codes, tokens of all positions together.
    ///
    /// Of a shared codebook, the entropy of the frequencies that p(t, k) gives on average over t: 0...log2 K. Where
    /// every position has its own, that of p(t, k) / T over all T K codes, which is log2 T + the mean of H(t).
    public var entropy: Double {
        perPositionCodebooks ? Self.entropy(counts[...]) : Self.entropy(sharedCounts[...])
    }

    /// Entropy in bits as a perplexity: 2^H, as many equally frequent codes.
    public static func perplexity(_ entropy: Double) -> Double { exp2(entropy) }

    /// Of a codebook that all positions share, by code: (K).
    private var sharedCounts: [UInt64] {
        var sums = [UInt64](repeating: 0, count: codebookSize)
        for position in 0..<positions {
            for code in 0..<codebookSize { sums[code] += UInt64(counts[position * codebookSize + code]) }
        }
        return sums
    }

    private static func entropy(_ counts: ArraySlice<some BinaryInteger>) -> Double {
        let total = Double(counts.reduce(into: UInt64(0)) { $0 += UInt64($1) })
        guard total > 0 else { return 0 }
        var sum = 0.0
        for count in counts where count > 0 {
            let share = Double(count) / total
            sum -= share * log2(share)
        }
        return sum
    }
}
