// Classes of bytes in RFC 9110 5.6 and RFC 3986 2. Everything here works on bytes: text only begins where a
// value has been checked.

extension UInt8 {
    static let tab: UInt8 = 0x09
    static let lf: UInt8 = 0x0A
    static let cr: UInt8 = 0x0D
    static let space: UInt8 = 0x20

    package var isDigit: Bool { self >= 0x30 && self <= 0x39 }

    var isLetter: Bool { (self | 0x20) >= 0x61 && (self | 0x20) <= 0x7A }

    /// `tchar` of RFC 9110 5.6.2: what methods, field names and codings are made of.
    var isToken: Bool {
        if isLetter || isDigit { return true }
        switch self {
        case 0x21, 0x23...0x27, 0x2A, 0x2B, 0x2D, 0x2E, 0x5E...0x60, 0x7C, 0x7E: return true
        default: return false
        }
    }

    /// `field-content` of RFC 9110 5.5: visible, obs-text, space or tab.
    var isFieldContent: Bool { (self >= 0x20 && self != 0x7F) || self == .tab }

    /// `unreserved` of RFC 3986 2.3.
    var isUnreserved: Bool {
        isLetter || isDigit || self == 0x2D || self == 0x2E || self == 0x5F || self == 0x7E
    }

    /// `sub-delims` of RFC 3986 2.2.
    var isSubDelimiter: Bool {
        switch self {
        case 0x21, 0x24, 0x26...0x2C, 0x3B, 0x3D: return true
        default: return false
        }
    }

    var lowercased: UInt8 { self >= 0x41 && self <= 0x5A ? self | 0x20 : self }

    /// The value of a hexadecimal digit, `nil` for any other byte.
    var hexValue: UInt8? {
        switch self {
        case 0x30...0x39: return self - 0x30
        case 0x41...0x46: return self - 0x37
        case 0x61...0x66: return self - 0x57
        default: return nil
        }
    }
}

extension FixedWidthInteger {
    /// The number that decimal digits, and nothing else, give; `nil` for other text. `Int("+5")` is 5.
    package init?(digits text: some StringProtocol) {
        guard text.utf8.allSatisfy(\.isDigit) else { return nil }
        self.init(text)
    }
}

extension Collection where Element == UInt8 {
    /// Whether these bytes and `other` are the same when ASCII letters are compared without their case.
    func equalsIgnoringCase(_ other: some Collection<UInt8>) -> Bool {
        count == other.count && zip(self, other).allSatisfy { $0.lowercased == $1.lowercased }
    }
}

extension Span<UInt8> {
    var copy: [UInt8] { withUnsafeBufferPointer { Array($0) } }
}

extension ArraySlice<UInt8> {
    /// Without the optional white space (RFC 9110 5.6.3) at both ends.
    var trimmed: ArraySlice<UInt8> {
        var slice = self
        while let first = slice.first, first == .space || first == .tab { slice.removeFirst() }
        while let last = slice.last, last == .space || last == .tab { slice.removeLast() }
        return slice
    }
}

/// Bytes of a message as they may appear in an error's text: quoted, controls escaped, cut at 40.
func quoted(_ bytes: some Collection<UInt8>) -> String {
    var text = "\""
    for byte in bytes.prefix(40) {
        if byte >= 0x20 && byte < 0x7F && byte != 0x22 && byte != 0x5C {
            text.unicodeScalars.append(Unicode.Scalar(byte))
        } else {
            let hex = String(byte, radix: 16)
            text += "\\x" + (hex.count < 2 ? "0" : "") + hex
        }
    }
    return text + (bytes.count > 40 ? "…\"" : "\"")
}
