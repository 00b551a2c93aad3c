extension JSONParser {
    private static let maxNumberLength = 1024

    /// `number = [ minus ] int [ frac ] [ exp ]` (RFC 8259, 6).
    mutating func parseNumber() throws(JSONError) -> JSONValue {
        let start = position
        let negative = next == UInt8(ascii: "-")
        if negative { position += 1 }
        if negative, next == UInt8(ascii: "I"), extensions.contains(.nonFiniteNumbers) {
            return try parseWord("Infinity", .number(-.infinity))
        }
        var fits = true
        var magnitude: UInt64 = 0
        let first = position
        while let digit = nextDigit() {
            if position - first < 18 {
                magnitude = magnitude &* 10 &+ digit
            } else if fits {
                let (product, overflow) = magnitude.multipliedReportingOverflow(by: 10)
                let (sum, carry) = product.addingReportingOverflow(digit)
                fits = !overflow && !carry
                magnitude = sum
            }
            position += 1
        }
        guard position > first else { throw unexpected("a digit") }
        if position - first > 1 && bytes[first] == UInt8(ascii: "0") {
            throw JSONError(offset: first, message: "a number may not begin with a zero and a further digit")
        }
        let integral = try !skipFractionAndExponent()
        if integral && fits {
            if magnitude <= UInt64(Int64.max) { return .integer(negative ? -Int64(magnitude) : Int64(magnitude)) }
            if negative && magnitude == Int64.min.magnitude { return .integer(Int64.min) }
        }
        return .number(try double(from: start))
    }

    private func nextDigit() -> UInt64? {
        guard let byte = next, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") else { return nil }
        return UInt64(byte & 15)
    }

    /// Returns whether there was a fraction or an exponent.
    private mutating func skipFractionAndExponent() throws(JSONError) -> Bool {
        let start = position
        if next == UInt8(ascii: ".") {
            position += 1
            try skipDigits()
        }
        if next == UInt8(ascii: "e") || next == UInt8(ascii: "E") {
            position += 1
            if next == UInt8(ascii: "+") || next == UInt8(ascii: "-") { position += 1 }
            try skipDigits()
        }
        return position > start
    }

    private mutating func skipDigits() throws(JSONError) {
        guard nextDigit() != nil else { throw unexpected("a digit") }
        while nextDigit() != nil { position += 1 }
    }

    private func double(from start: Int) throws(JSONError) -> Double {
        guard position - start <= Self.maxNumberLength else {
            throw JSONError(offset: start, message: "a number of more than \(Self.maxNumberLength) characters")
        }
        let text = String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<position]), as: UTF8.self)
        guard let value = Double(text), value.isFinite || extensions.contains(.nonFiniteNumbers) else {
            throw JSONError(offset: start, message: "a number beyond the range of a double")
        }
        return value
    }
}
