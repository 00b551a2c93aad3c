import Glibc

/// Numbers as people read them, the same in every locale.
package enum NumberText {
    /// With that many significant digits, as `%.*g` writes them: `0.0123`, `1.2e-05`, `nan`.
    package static func significant(_ value: Double, digits: Int = 3) -> String {
        printed("%.\(min(max(digits, 1), 17))g", value)
    }

    /// With that many digits after the point.
    package static func fixed(_ value: Double, digits: Int) -> String {
        printed("%.\(min(max(digits, 0), 17))f", value)
    }

    private static func printed(_ format: String, _ value: Double) -> String {
        // The longest double in fixed notation has 309 digits before the point.
        var text = [CChar](repeating: 0, count: 400)
        let count = withVaList([value]) { vsnprintf(&text, text.count, format, $0) }
        let bytes = text.prefix(max(0, Int(count))).map { UInt8(bitPattern: $0) }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// With commas between groups of three digits: `1,234,567`.
    package static func grouped(_ value: Int) -> String {
        let digits = Array(String(value.magnitude))
        var text = value < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0 && (digits.count - index) % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return text
    }

    /// `digits x 10^exponent` without rounding: `120,000`, `0.025`, `1.2e-7`.
    /// - Parameter whole: digits of the longest whole number that is written out.
    static func decimal(_ digits: Int, exponent: Int, whole: Int = 6) -> String {
        let text = String(digits.magnitude)
        let sign = digits < 0 ? "-" : ""
        if digits == 0 { return "0" }
        if exponent >= 0 && text.count + exponent <= whole {
            let number = text + String(repeating: "0", count: exponent)
            return sign + (Int(number).map(grouped) ?? number)
        }
        if exponent < 0 && exponent >= -5 {
            let padded = String(repeating: "0", count: max(0, 1 - exponent - text.count)) + text
            return sign + padded.dropLast(-exponent) + "." + padded.suffix(-exponent)
        }
        var fraction = text.dropFirst()
        while fraction.last == "0" { fraction.removeLast() }
        let point = fraction.isEmpty ? "" : "."
        return "\(sign)\(text.prefix(1))\(point)\(fraction)e\(exponent + text.count - 1)"
    }
}
