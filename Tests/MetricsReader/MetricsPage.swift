/// A page of metrics in Prometheus's text format, version 0.0.4, read without mercy.
public struct MetricsPage {
    public struct Defect: Error, Equatable, CustomStringConvertible {
        /// From 1.
        public let line: Int
        public let reason: String
        public var description: String { "line \(line): \(reason)" }
    }

    public struct Sample: Equatable {
        public let name: String
        public let labels: [String: String]
        public let value: Double
    }

    public struct Family: Equatable {
        public let name: String
        public let help: String
        public let type: String
        public var samples: [Sample] = []
    }

    /// As they stand on the page.
    public private(set) var families: [Family] = []
    private var number = 0

    /// Beyond the grammar it demands: HELP, then TYPE, then the samples of each metric; no sample twice; counters that
    /// are not negative and named `…_total`; histograms whose buckets ascend, do not fall and end with all.
    public init(_ text: String) throws(Defect) {
        guard text.last == "\n" else { throw Defect(line: 0, reason: "the last line has no end") }
        var help: (name: String, text: String)?
        for line in text.dropLast().split(separator: "\n", omittingEmptySubsequences: false) {
            number += 1
            var scanner = Scanner(text: line, number: number)
            if scanner.take("# HELP ") {
                try checkIsWhole(help)
                help = (try scanner.name(), try scanner.help())
            } else if scanner.take("# TYPE ") {
                try begin(try scanner.name(), after: help, try scanner.type())
                help = nil
            } else {
                try checkIsWhole(help)
                try add(try scanner.sample())
            }
        }
        try checkIsWhole(help)
        for family in families { try check(family) }
    }

    public func family(_ name: String) -> Family? { families.first { $0.name == name } }

    /// The number of a sample; `nil` where there is none.
    public func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        for family in families {
            if let sample = family.samples.first(where: { $0.name == name && $0.labels == labels }) {
                return sample.value
            }
        }
        return nil
    }

    private func defect(_ reason: String) -> Defect { Defect(line: number, reason: reason) }

    private func checkIsWhole(_ help: (name: String, text: String)?) throws(Defect) {
        if let help { throw defect("no TYPE behind the HELP of \(help.name)") }
    }

    private mutating func begin(
        _ name: String, after help: (name: String, text: String)?, _ type: String
    ) throws(Defect) {
        guard let help, help.name == name else { throw defect("no HELP before the TYPE of \(name)") }
        guard family(name) == nil else { throw defect("\(name) is there twice") }
        families.append(Family(name: name, help: help.text, type: type))
    }

    private mutating func add(_ sample: Sample) throws(Defect) {
        guard let family = families.last else { throw defect("a sample before any TYPE") }
        let suffixes = family.type == "histogram" ? ["_bucket", "_sum", "_count"] : [""]
        guard suffixes.contains(where: { family.name + $0 == sample.name }) else {
            throw defect("\(sample.name) stands under \(family.name)")
        }
        guard !family.samples.contains(where: { $0.name == sample.name && $0.labels == sample.labels }) else {
            throw defect("\(sample.name) \(sample.labels) is there twice")
        }
        families[families.count - 1].samples.append(sample)
    }

    private func check(_ family: Family) throws(Defect) {
        switch family.type {
        case "counter":
            guard family.name.hasSuffix("_total") else { throw defect("\(family.name) doesn't end with _total") }
            guard family.samples.allSatisfy({ $0.value >= 0 }) else { throw defect("\(family.name) is negative") }
        case "histogram":
            for sample in family.samples where sample.name.hasSuffix("_count") { try check(family, sample) }
            let counts = family.samples.count { $0.name.hasSuffix("_count") }
            let sums = family.samples.count { $0.name.hasSuffix("_sum") }
            let ends = family.samples.count { $0.labels["le"] == "+Inf" }
            guard counts == sums, counts == ends else { throw defect("\(family.name) is incomplete") }
        default: break
        }
    }

    private func check(_ family: Family, _ count: Sample) throws(Defect) {
        let buckets = family.samples.filter { sample in
            sample.name.hasSuffix("_bucket") && sample.labels.filter { $0.key != "le" } == count.labels
        }
        let bounds = buckets.map { bucket in
            bucket.labels["le"].flatMap { Scanner.number($0) } ?? .nan
        }
        let isAscending = zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 }
        let isCumulative = zip(buckets, buckets.dropFirst()).allSatisfy { $0.value <= $1.value }
        guard isAscending, isCumulative, bounds.last == .infinity, buckets.last?.value == count.value,
            value(family.name + "_sum", count.labels) != nil
        else { throw defect("the buckets of \(family.name) \(count.labels) don't add up") }
    }
}

/// One line, read from its start.
private struct Scanner {
    var text: Substring
    let number: Int

    private func defect(_ reason: String) -> MetricsPage.Defect { .init(line: number, reason: reason) }

    mutating func take(_ prefix: String) -> Bool {
        guard text.hasPrefix(prefix) else { return false }
        text = text.dropFirst(prefix.count)
        return true
    }

    /// A metric's or label's name.
    mutating func name() throws(MetricsPage.Defect) -> String {
        let name = text.prefix { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
        guard let first = name.first, !first.isNumber else { throw defect("no name at '\(text)'") }
        text = text[name.endIndex...]
        return String(name)
    }

    mutating func help() throws(MetricsPage.Defect) -> String {
        guard take(" "), !text.isEmpty else { throw defect("no help") }
        return try unescaped(until: nil, ["\\": "\\", "n": "\n"])
    }

    mutating func type() throws(MetricsPage.Defect) -> String {
        guard take(" "), ["counter", "gauge", "histogram"].contains(text) else { throw defect("no type '\(text)'") }
        return String(text)
    }

    mutating func sample() throws(MetricsPage.Defect) -> MetricsPage.Sample {
        let name = try name()
        var labels: [String: String] = [:]
        if take("{") {
            repeat {
                let label = try self.name()
                guard take("=\"") else { throw defect("no value of \(label)") }
                let value = try unescaped(until: "\"", ["\\": "\\", "n": "\n", "\"": "\""])
                guard labels.updateValue(value, forKey: label) == nil else { throw defect("\(label) is there twice") }
            } while take(",")
            guard take("}") else { throw defect("no end of labels at '\(text)'") }
        }
        guard take(" "), let value = Self.number(String(text)) else { throw defect("no number at '\(text)'") }
        return .init(name: name, labels: labels, value: value)
    }

    static func number(_ text: String) -> Double? {
        switch text {
        case "+Inf": return .infinity
        case "-Inf": return -.infinity
        case "NaN": return .nan
        default: return text.allSatisfy { "0123456789+-.e".contains($0) } ? Double(text) : nil
        }
    }

    private mutating func unescaped(
        until end: Character?, _ escapes: [Character: Character]
    ) throws(MetricsPage.Defect) -> String {
        var result = ""
        while let character = text.popFirst() {
            if character == end { return result }
            guard character == "\\" else {
                result.append(character)
                continue
            }
            guard let next = text.popFirst(), let meant = escapes[next] else { throw defect("a stray backslash") }
            result.append(meant)
        }
        guard end == nil else { throw defect("no end of a quoted value") }
        return result
    }
}
