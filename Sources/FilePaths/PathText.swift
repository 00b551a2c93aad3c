/// The text form of bytes that the system gives: `Path` says what it is.
public enum PathText {
    private static let backslash = UInt8(ascii: "\\")

    /// - Parameter kept: control characters of ASCII that stand for themselves all the same.
    public static func text(of bytes: [UInt8], keeping kept: [UInt8] = []) -> String {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count)
        var parser = Unicode.UTF8.ForwardParser()
        var input = bytes.makeIterator()
        var start = 0
        var isAfterEscape = true
        while true {
            let end: Int
            let isPlain: Bool
            switch parser.parseScalar(from: &input) {
            case .valid(let encoded):
                end = start + encoded.count
                isPlain =
                    kept.contains(bytes[start])
                    || Self.isPlain(
                        Unicode.UTF8.decode(encoded), after: isAfterEscape ? nil : bytes[start - 1])
                        && !isEscape(bytes[start...])
            case .error(let length):
                end = start + length
                isPlain = false
            case .emptyInput: return String(decoding: text, as: UTF8.self)
            }
            for byte in bytes[start..<end] {
                if isPlain { text.append(byte) } else { text += escape(byte) }
            }
            start = end
            isAfterEscape = !isPlain
        }
    }

    static func bytes(of text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var start = 0
        while start < bytes.count {
            if isEscape(bytes[start...]), let byte = UInt8(ascii: bytes[start + 2], bytes[start + 3]), byte != 0 {
                result.append(byte)
                start += 4
            } else {
                result.append(bytes[start])
                start += 1
            }
        }
        return result
    }

    /// Whether it begins with `\xNN`.
    private static func isEscape(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard bytes.first == backslash, bytes.count >= 4, bytes[bytes.startIndex + 1] == UInt8(ascii: "x") else {
            return false
        }
        return UInt8(ascii: bytes[bytes.startIndex + 2], bytes[bytes.startIndex + 3]) != nil
    }

    /// Whether it is an ASCII letter or digit, or belongs to a character that isn't ASCII.
    private static func carriesMarks(_ byte: UInt8) -> Bool {
        byte >= 0x80 || Unicode.Scalar(byte).properties.isAlphabetic || (0x30...0x39).contains(byte)
    }

    private static func escape(_ byte: UInt8) -> [UInt8] {
        let digits = Array("0123456789abcdef".utf8)
        return [backslash, UInt8(ascii: "x"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
    }

    /// Whether a terminal shows it and does nothing else.
    ///
    /// - Parameter previous: the byte before it; `nil`: there is none, or it is written as an escape.
    private static func isPlain(_ scalar: Unicode.Scalar, after previous: UInt8?) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: false
        case .nonspacingMark, .spacingMark, .enclosingMark: previous.map(carriesMarks) ?? false
        default: !scalar.properties.isBidiControl
        }
    }
}

extension UInt8 {
    /// The number of two hexadecimal digits; `nil` where they aren't.
    fileprivate init?(ascii high: UInt8, _ low: UInt8) {
        guard let high = Unicode.Scalar(high).hexDigit, let low = Unicode.Scalar(low).hexDigit else { return nil }
        self = high << 4 | low
    }
}

extension Unicode.Scalar {
    fileprivate var hexDigit: UInt8? { Character(self).isASCII ? Character(self).hexDigitValue.map { UInt8($0) } : nil }
}
