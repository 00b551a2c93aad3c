/// The text format of Prometheus, version 0.0.4: lines of UTF-8, each metric's HELP and TYPE before its samples.
struct Exposition {
    enum Kind: String {
        case counter, gauge, histogram
    }

    typealias Labels = [(name: String, value: String)]

    private(set) var text = ""

    mutating func begin(_ name: String, _ help: String, _ kind: Kind) {
        text += "# HELP \(name) \(Self.escaped(help, isQuoted: false))\n# TYPE \(name) \(kind.rawValue)\n"
    }

    mutating func sample(_ name: String, _ labels: Labels, _ number: String) {
        text += name
        if !labels.isEmpty {
            let list = labels.map { "\($0.name)=\"\(Self.escaped($0.value, isQuoted: true))\"" }
            text += "{\(list.joined(separator: ","))}"
        }
        text += " \(number)\n"
    }

    /// Buckets count everything up to their bound.
    mutating func buckets(_ name: String, _ labels: Labels, _ snapshot: Histogram.Snapshot) {
        var count: UInt64 = 0
        for (bound, inBucket) in zip(snapshot.bounds + [.infinity], snapshot.counts) {
            count &+= inBucket
            sample(name + "_bucket", labels + [(name: "le", value: Self.number(bound))], "\(count)")
        }
        sample(name + "_sum", labels, Self.number(snapshot.sum))
        sample(name + "_count", labels, "\(count)")
    }

    /// As Go's `ParseFloat` reads it.
    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return Int64(exactly: value).map { "\($0)" } ?? "\(value)"
    }

    /// A quotation mark ends a label's value only.
    private static func escaped(_ text: String, isQuoted: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += #"\\"#
            case "\n": result += #"\n"#
            case "\"" where isQuoted: result += #"\""#
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
