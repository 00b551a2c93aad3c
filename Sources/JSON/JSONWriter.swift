extension JSONValue: CustomStringConvertible {
    /// Compact JSON text in UTF-8; members in their order, doubles in the fewest digits that give them back.
    ///
    /// JSON has no infinities and no NaN: they become `null`.
    public func write() -> [UInt8] {
        var text: [UInt8] = []
        write(into: &text)
        return text
    }

    public var description: String { String(decoding: write(), as: UTF8.self) }

    /// Appends what `write()` returns.
    public func write(into text: inout [UInt8]) {
        switch self {
        case .null: text.append(contentsOf: "null".utf8)
        case .bool(let value): text.append(contentsOf: (value ? "true" : "false").utf8)
        case .integer(let value): Self.write(value, into: &text)
        case .number(let value): text.append(contentsOf: (value.isFinite ? value.description : "null").utf8)
        case .string(let value): Self.write(value, into: &text)
        case .array(let elements):
            text.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { text.append(UInt8(ascii: ",")) }
                element.write(into: &text)
            }
            text.append(UInt8(ascii: "]"))
        case .object(let object):
            text.append(UInt8(ascii: "{"))
            for (index, member) in object.members.enumerated() {
                if index > 0 { text.append(UInt8(ascii: ",")) }
                Self.write(member.name, into: &text)
                text.append(UInt8(ascii: ":"))
                member.value.write(into: &text)
            }
            text.append(UInt8(ascii: "}"))
        }
    }

    /// Digit by digit: a response has hundreds of ids, of which a `description` would make a string each.
    private static func write(_ integer: Int64, into text: inout [UInt8]) {
        if integer < 0 { text.append(UInt8(ascii: "-")) }
        let start = text.count
        var rest = integer.magnitude
        repeat {
            text.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        text[start...].reverse()
    }

    private static func write(_ string: String, into text: inout [UInt8]) {
        text.append(UInt8(ascii: "\""))
        var string = string
        string.withUTF8 { bytes in
            var run = 0
            for (index, byte) in bytes.enumerated() where byte < 0x20 || byte == 0x22 || byte == 0x5C {
                text.append(contentsOf: bytes[run..<index])
                escape(byte, into: &text)
                run = index + 1
            }
            text.append(contentsOf: bytes[run...])
        }
        text.append(UInt8(ascii: "\""))
    }

    private static func escape(_ byte: UInt8, into text: inout [UInt8]) {
        let short: Character? =
            switch byte {
            case 0x22: "\""
            case 0x5C: "\\"
            case 0x08: "b"
            case 0x0C: "f"
            case 0x0A: "n"
            case 0x0D: "r"
            case 0x09: "t"
            default: nil
            }
        if let short {
            text.append(contentsOf: "\\\(short)".utf8)
        } else {
            text.append(contentsOf: byte < 0x10 ? "\\u000".utf8 : "\\u00".utf8)
            text.append(contentsOf: String(byte, radix: 16).utf8)
        }
    }
}
