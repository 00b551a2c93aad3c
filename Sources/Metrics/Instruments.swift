import Synchronization

/// A number that only grows.
public final class Counter: Sendable {
    private let count = Atomic<UInt64>(0)

    public init() {}

    public var value: UInt64 { count.load(ordering: .relaxed) }

    public func add(_ amount: UInt64 = 1) {
        count.wrappingAdd(amount, ordering: .relaxed)
    }
}

/// How many values fell into each of some buckets.
public final class Histogram: Sendable {
    /// What has been observed so far.
    public struct Snapshot: Sendable, Equatable {
        /// Upper bounds, ascending, inclusive.
        public let bounds: [Double]
        /// Values in each bucket alone; the last one has no bound.
        public private(set) var counts: [UInt64]
        public private(set) var sum = 0.0

        public init(bounds: [Double]) {
            self.bounds = bounds
            counts = [UInt64](repeating: 0, count: bounds.count + 1)
        }

        public var count: UInt64 { counts.reduce(0, &+) }

        /// Counts `value` as often as `times` says; a NaN isn't counted.
        public mutating func observe(_ value: Double, times: UInt64 = 1) {
            guard !value.isNaN, times > 0 else { return }
            let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
            counts[bucket] &+= times
            sum += value * Double(times)
        }
    }

    private let state: Mutex<Snapshot>

    /// - Parameter bounds: of the buckets, ascending, inclusive; one without a bound follows.
    public init(bounds: [Double]) {
        state = Mutex(Snapshot(bounds: bounds))
    }

    public var snapshot: Snapshot { state.withLock { $0 } }

    public func observe(_ value: Double) {
        state.withLock { $0.observe(value) }
    }

    public func observe(_ values: [Float]) {
        state.withLock { state in
            for value in values { state.observe(Double(value)) }
        }
    }

    public func observe(_ span: Duration) {
        observe(span / .seconds(1))
    }
}

/// Instruments of one name, by the values of their labels. Made when first asked for, and kept: values must be few.
public final class Family<Instrument: Sendable>: Sendable {
    private let labels: Int
    private let make: @Sendable () -> Instrument
    private let members = Mutex<[[String]: Instrument]>([:])

    init(labels: Int, make: @escaping @Sendable () -> Instrument) {
        self.labels = labels
        self.make = make
    }

    /// - Parameter values: of the labels, in their order, as many as there are labels.
    public subscript(values: String...) -> Instrument {
        precondition(values.count == labels, "a value for each label")
        return members.withLock { members in
            if let known = members[values] { return known }
            let new = make()
            members[values] = new
            return new
        }
    }

    /// In the order of their labels' values.
    var all: [(values: [String], instrument: Instrument)] {
        members.withLock { members in members.map { (values: $0.key, instrument: $0.value) } }
            .sorted { $0.values.lexicographicallyPrecedes($1.values) }
    }
}
