/// A measure over several images.
public struct Summary: Sendable, Equatable {
    /// Values and their images, in order.
    public private(set) var values: [(name: String, value: Double)] = []
    /// Images whose value is infinite: they are left out of everything else here.
    public private(set) var infinite = 0

    public init() {}

    /// - Parameter value: `nil` where the measure has none for that image, which is left out.
    public mutating func add(_ value: Double?, of name: String) {
        guard let value, !value.isNaN else { return }
        if value.isFinite { values.append((name, value)) } else { infinite += 1 }
    }

    /// `nil` without values.
    public var mean: Double? {
        values.isEmpty ? nil : values.reduce(0) { $0 + $1.value } / Double(values.count)
    }

    /// Of a sample: n - 1 below the sum of squares; `nil` with fewer than two values.
    public var standardDeviation: Double? {
        guard values.count > 1, let mean else { return nil }
        let squares = values.reduce(0) { $0 + ($1.value - mean) * ($1.value - mean) }
        return (squares / Double(values.count - 1)).squareRoot()
    }

    /// The first of the smallest.
    public var lowest: (name: String, value: Double)? { values.min { $0.value < $1.value } }

    /// The first of the largest.
    public var highest: (name: String, value: Double)? {
        values.reduce(nil) { best, next in
            guard let best, best.value >= next.value else { return next }
            return best
        }
    }

    public static func == (left: Summary, right: Summary) -> Bool {
        left.infinite == right.infinite && left.values.elementsEqual(right.values, by: ==)
    }
}
