extension JSONParser {
    /// `string = quotation-mark *char quotation-mark` (RFC 8259, 7). Without escapes, the bytes are copied once.
    mutating func parseString() throws(JSONError) -> String {
        position += 1
        let start = position
        skipPlain()
        if next == UInt8(ascii: "\"") {
            let text = try decode(UnsafeBufferPointer(rebasing: bytes[start..<position]), at: start)
            position += 1
            return text
        }
        return try parseEscapedString(from: start)
    }

    private mutating func parseEscapedString(from start: Int) throws(JSONError) -> String {
        var text: [UInt8] = []
        var run = start
        while true {
            try check(run..<position)
            text.append(contentsOf: bytes[run..<position])
            switch next {
            case UInt8(ascii: "\""):
                position += 1
                return String(decoding: text, as: UTF8.self)
            case UInt8(ascii: "\\"):
                position += 1
                try parseEscape(into: &text)
            case nil:
                throw unexpected("'\"' at the end of the string")
            default:
                throw JSONError(offset: position, message: "a control character in a string must be escaped")
            }
            run = position
            skipPlain()
        }
    }

    /// Goes to the next quotation mark, backslash or control character, or to the end.
    private mutating func skipPlain() {
        let ones: UInt64 = 0x0101_0101_0101_0101
        let highs: UInt64 = 0x8080_8080_8080_8080
        let raw = UnsafeRawBufferPointer(bytes)
        // Eight bytes at a time: a borrow marks a zero byte after xor, and a byte under 0x20 after the subtraction.
        while bytes.count - position >= 8 {
            let word = raw.loadUnaligned(fromByteOffset: position, as: UInt64.self)
            let quote = word ^ (ones &* 0x22)
            let slash = word ^ (ones &* 0x5C)
            let hits =
                ((quote &- ones) & ~quote) | ((slash &- ones) & ~slash) | ((word &- ones &* 0x20) & ~word)
            if hits & highs != 0 { break }
            position += 8
        }
        while let byte = next, byte != 0x22, byte != 0x5C, byte >= 0x20 { position += 1 }
    }

    private mutating func parseEscape(into text: inout [UInt8]) throws(JSONError) {
        switch next {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(bytes[position])
        case UInt8(ascii: "b"): text.append(0x08)
        case UInt8(ascii: "f"): text.append(0x0C)
        case UInt8(ascii: "n"): text.append(0x0A)
        case UInt8(ascii: "r"): text.append(0x0D)
        case UInt8(ascii: "t"): text.append(0x09)
        case UInt8(ascii: "u"):
            position += 1
            text.append(contentsOf: String(Character(try parseEscapedScalar())).utf8)
            return
        default: throw unexpected("one of \"\\/bfnrtu after the backslash")
        }
        position += 1
    }

    /// The hexadecimal digits after `\u`, and those of the low surrogate where the first are a high one.
    private mutating func parseEscapedScalar() throws(JSONError) -> Unicode.Scalar {
        let start = position - 2
        let unit = try parseHex()
        if let scalar = Unicode.Scalar(unit) { return scalar }
        if unit < 0xDC00, next == UInt8(ascii: "\\") {
            position += 1
            if next == UInt8(ascii: "u") {
                position += 1
                let low = try parseHex()
                if low >= 0xDC00, low < 0xE000,
                    let scalar = Unicode.Scalar(0x10000 + ((unit & 0x3FF) << 10) + (low & 0x3FF))
                {
                    return scalar
                }
            }
        }
        throw JSONError(offset: start, message: "a surrogate without its other half")
    }

    private mutating func parseHex() throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = next, let digit = Character(UnicodeScalar(byte)).hexDigitValue, byte < 0x80 else {
                throw unexpected("four hexadecimal digits after '\\u'")
            }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }

    private func decode(_ run: UnsafeBufferPointer<UInt8>, at start: Int) throws(JSONError) -> String {
        guard let text = String(validating: run, as: UTF8.self) else { throw invalidUTF8(in: run, at: start) }
        return text
    }

    private func check(_ range: Range<Int>) throws(JSONError) {
        let run = UnsafeBufferPointer(rebasing: bytes[range])
        if run.contains(where: { $0 >= 0x80 }) { _ = try decode(run, at: range.lowerBound) }
    }

    private func invalidUTF8(in run: UnsafeBufferPointer<UInt8>, at start: Int) -> JSONError {
        var parser = Unicode.UTF8.ForwardParser()
        var iterator = run.makeIterator()
        var offset = start
        while case .valid(let scalar) = parser.parseScalar(from: &iterator) { offset += scalar.count }
        return JSONError(offset: offset, message: "invalid UTF-8")
    }
}
