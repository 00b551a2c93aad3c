import TokenizerCore

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Which codes the tokens of the latest images use, and how evenly: the measures of `CodeStatistics` over a window that
/// slides.
///
/// Memory is bounded by the window's tokens, not by the codebooks' size, which reaches 2^26 codes; reading takes no
/// time.
public struct CodeWindow: Sendable {
    /// Images at most.
    public let capacity: Int
    private let codebookSize: Int
    private let perPositionCodebooks: Bool
    /// Codes of each image; once there are `capacity`, the oldest is at `oldest`.
    private var images: [[UInt32]] = []
    private var oldest = 0
    /// Tokens in the window by code; none is 0.
    private var counts: [UInt32: UInt32] = [:]
    private var tokens = 0
    /// The sum of c log2 c over `counts`, in units of 2^-30: integers, so that what leaves takes away exactly what it
    /// had added.
    private var sum: Int64 = 0

    /// - Parameter capacity: at least 1.
    public init(_ contract: TokenContract, capacity: Int) {
        self.capacity = max(1, capacity)
        codebookSize = contract.codebookSize
        perPositionCodebooks = contract.perPositionCodebooks
    }

    /// Counts the tokens of one image; in a full window it takes the place of the oldest.
    ///
    /// - Parameter ids: local ids.
    public mutating func add(_ ids: [Int32]) {
        let codes = ids.enumerated().map { position, id in
            UInt32(truncatingIfNeeded: (perPositionCodebooks ? position &* codebookSize : 0) &+ Int(id))
        }
        if images.count < capacity {
            images.append(codes)
        } else {
            for code in images[oldest] { change(code, by: -1) }
            images[oldest] = codes
            oldest = (oldest + 1) % capacity
        }
        for code in codes { change(code, by: 1) }
    }

    /// Images in the window.
    public var count: Int { images.count }

    /// Codes that some image of the window uses at least once: of a shared codebook at any position.
    public var codesUsed: Int { counts.count }

    /// Entropy in bits over all codes, tokens of all positions together, as `CodeStatistics.entropy`.
    public var entropy: Double {
        guard tokens > 0 else { return 0 }
        return max(0, log2(Double(tokens)) - Double(sum) / Self.unit / Double(tokens))
    }

    private static let unit = Double(1 << 30)

    private mutating func change(_ code: UInt32, by step: Int) {
        let before = Int(counts[code] ?? 0)
        let after = before + step
        counts[code] = after > 0 ? UInt32(after) : nil
        sum += Self.weight(after) - Self.weight(before)
        tokens += step
    }

    /// c log2 c.
    private static func weight(_ count: Int) -> Int64 {
        count > 1 ? Int64((Double(count) * log2(Double(count)) * unit).rounded()) : 0
    }
}
