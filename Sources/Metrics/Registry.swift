import Synchronization

/// A service's metrics, and the page of them that Prometheus reads.
///
/// What happens is counted by instruments; what is, and what others count already, is read at each scrape. Names and
/// labels match `[a-zA-Z_][a-zA-Z0-9_]*`, each name is given once.
public final class Registry: Sendable {
    /// A number that is read, and the values of its labels.
    public struct Sample: Sendable, Equatable {
        public var number: Double
        public var values: [String]

        /// - Parameter values: of the labels, in their order, as many as there are labels.
        public init(_ number: Double, _ values: String...) {
            self.number = number
            self.values = values
        }
    }

    /// The media type of `text()`: the text format, version 0.0.4.
    public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    private let writers = Mutex<[@Sendable (inout Exposition) -> Void]>([])

    public init() {}

    /// All metrics, in the order in which they were added.
    public func text() -> String {
        var page = Exposition()
        for write in writers.withLock({ $0 }) { write(&page) }
        return page.text
    }

    public func counter(_ name: String, _ help: String, labels: [String] = []) -> Family<Counter> {
        let family = Family(labels: labels.count) { Counter() }
        add { page in
            page.begin(name, help, .counter)
            for (values, counter) in family.all {
                page.sample(name, pairs(labels, values), "\(counter.value)")
            }
        }
        return family
    }

    public func histogram(
        _ name: String, _ help: String, labels: [String] = [], bounds: [Double]
    ) -> Family<Histogram> {
        let family = Family(labels: labels.count) { Histogram(bounds: bounds) }
        add { page in
            page.begin(name, help, .histogram)
            for (values, histogram) in family.all {
                page.buckets(name, pairs(labels, values), histogram.snapshot)
            }
        }
        return family
    }

    /// - Parameter body: called at each scrape, on its thread.
    public func readHistogram(
        _ name: String, _ help: String, _ body: @escaping @Sendable () -> Histogram.Snapshot
    ) {
        add { page in
            page.begin(name, help, .histogram)
            page.buckets(name, [], body())
        }
    }

    /// - Parameter body: called at each scrape, on its thread.
    public func readGauge(
        _ name: String, _ help: String, labels: [String] = [], _ body: @escaping @Sendable () -> [Sample]
    ) {
        read(.gauge, name, help, labels, body)
    }

    /// - Parameter body: called at each scrape, on its thread; what it gives never falls.
    public func readCounter(
        _ name: String, _ help: String, labels: [String] = [], _ body: @escaping @Sendable () -> [Sample]
    ) {
        read(.counter, name, help, labels, body)
    }

    private func read(
        _ kind: Exposition.Kind, _ name: String, _ help: String, _ labels: [String],
        _ body: @escaping @Sendable () -> [Sample]
    ) {
        add { page in
            page.begin(name, help, kind)
            for sample in body() {
                page.sample(name, pairs(labels, sample.values), Exposition.number(sample.number))
            }
        }
    }

    private func add(_ writer: @escaping @Sendable (inout Exposition) -> Void) {
        writers.withLock { $0.append(writer) }
    }
}

private func pairs(_ labels: [String], _ values: [String]) -> [(name: String, value: String)] {
    zip(labels, values).map { (name: $0, value: $1) }
}
