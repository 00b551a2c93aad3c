/// RFC 4648, section 4: padded, nothing outside the alphabet (3.3).
package enum Base64 {
    package struct Failure: Error, Equatable {
        /// In characters from the start.
        package let offset: Int
        package let message: String
    }

    private static let alphabet = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

    /// By character; 255: not of the alphabet.
    private static let values: [UInt8] = {
        var values = [UInt8](repeating: 255, count: 256)
        for (value, character) in alphabet.enumerated() { values[Int(character)] = UInt8(value) }
        return values
    }()

    package static func decode(_ text: some Collection<UInt8>) throws(Failure) -> [UInt8] {
        let result = text.withContiguousStorageIfAvailable { Self.result($0) }
        return try (result ?? Array(text).withUnsafeBufferPointer { Self.result($0) }).get()
    }

    private static func result(_ text: UnsafeBufferPointer<UInt8>) -> Result<[UInt8], Failure> {
        let padding = text.suffix(2).reversed().prefix { $0 == UInt8(ascii: "=") }.count
        let digits = text.count - padding
        return values.withUnsafeBufferPointer { values in
            // A wrong character first: one too many, such as a line feed, makes the length wrong too.
            for index in 0..<digits where values[Int(text[index])] == 255 { return .failure(wrong(index, in: text)) }
            guard text.count % 4 == 0 else {
                return .failure(
                    Failure(offset: text.count, message: "\(text.count) characters, expected a multiple of 4"))
            }
            let bytes = [UInt8](unsafeUninitializedCapacity: text.count / 4 * 3) { out, count in
                count = 0
                func value(_ index: Int) -> UInt32 { index < digits ? UInt32(values[Int(text[index])]) : 0 }
                for group in stride(from: 0, to: text.count, by: 4) {
                    let bits =
                        value(group) << 18 | value(group + 1) << 12 | value(group + 2) << 6 | value(group + 3)
                    for shift in [UInt32(16), 8, 0] where count < text.count / 4 * 3 - padding {
                        out[count] = UInt8(truncatingIfNeeded: bits >> shift)
                        count += 1
                    }
                }
            }
            return .success(bytes)
        }
    }

    /// What is wrong with a character that isn't of the alphabet.
    private static func wrong(_ index: Int, in text: UnsafeBufferPointer<UInt8>) -> Failure {
        let message =
            switch text[index] {
            // What `base64` writes unless told not to, at the end at least.
            case 0x0A, 0x0D: "a line break, expected none, not at the end either"
            case UInt8(ascii: "="): "'=' before the end, expected padding at the end only, one or two of it"
            case UInt8(ascii: "-"), UInt8(ascii: "_"):
                "'\(Character(UnicodeScalar(text[index])))' of the URL-safe alphabet, expected the standard one with "
                    + "'+' and '/' (RFC 4648, section 4)"
            default: "\(named(text[index...])), a character outside the base64 alphabet"
            }
        return Failure(offset: index, message: message)
    }

    /// The character at the start of `text`, which need not be valid UTF-8.
    private static func named(_ text: Slice<UnsafeBufferPointer<UInt8>>) -> String {
        var bytes = text.prefix(4).makeIterator()
        var decoder = UTF8()
        guard case .scalarValue(let scalar) = decoder.decode(&bytes) else {
            let digits = String(text.first ?? 0, radix: 16, uppercase: true)
            return "byte 0x\(digits.count < 2 ? "0" : "")\(digits)"
        }
        if scalar == " " { return "a space" }
        if scalar.value > 0x20, scalar.value < 0x7F { return "'\(Character(scalar))'" }
        let digits = String(scalar.value, radix: 16, uppercase: true)
        return "U+\(String(repeating: "0", count: max(0, 4 - digits.count)))\(digits)"
    }

    package static func encode(_ bytes: [UInt8]) -> String {
        var text: [UInt8] = []
        text.reserveCapacity((bytes.count + 2) / 3 * 4)
        for group in stride(from: 0, to: bytes.count, by: 3) {
            let rest = bytes.count - group
            let second = rest > 1 ? UInt32(bytes[group + 1]) : 0
            let third = rest > 2 ? UInt32(bytes[group + 2]) : 0
            let bits = UInt32(bytes[group]) << 16 | second << 8 | third
            text.append(alphabet[Int(bits >> 18 & 63)])
            text.append(alphabet[Int(bits >> 12 & 63)])
            text.append(rest > 1 ? alphabet[Int(bits >> 6 & 63)] : UInt8(ascii: "="))
            text.append(rest > 2 ? alphabet[Int(bits & 63)] : UInt8(ascii: "="))
        }
        return String(decoding: text, as: UTF8.self)
    }
}

extension Base64 {
    /// The bytes of an `input`: bare base64 or a data: URL (RFC 2397) in base64. No other URL is ever fetched.
    package static func image(_ text: String) throws(FormatError) -> [UInt8] {
        var text = text
        // A string made by the parser is native UTF-8: no copy.
        text.makeContiguousUTF8()
        let utf8 = text.utf8
        let offset = try dataStart(utf8)
        do {
            return try decode(utf8.dropFirst(offset))
        } catch {
            // What stands before the data may have characters of more than a byte.
            let start = String(decoding: utf8.prefix(offset), as: UTF8.self).unicodeScalars.count
            throw FormatError(
                .invalid, "invalid_base64", "base64 at character \(start + error.offset): \(error.message)",
                param: "input")
        }
    }

    /// Where the data of a data: URL begins; 0 for bare base64.
    private static func dataStart(_ text: String.UTF8View) throws(FormatError) -> Int {
        let head = String(decoding: text.prefix(256), as: UTF8.self)
        guard let colon = head.firstIndex(of: ":"), isScheme(head[..<colon]) else { return 0 }
        guard head[..<colon].lowercased() == "data" else {
            throw FormatError(
                .invalid, "url_not_fetched",
                "'\(shortened(head, to: 32))': no URL is ever fetched; expected base64 or a data: URL", param: "input")
        }
        guard let comma = head.firstIndex(of: ","), head[..<comma].lowercased().hasSuffix(";base64") else {
            throw FormatError(
                .invalid, "invalid_data_url", "'\(shortened(head, to: 32))': expected data:image/…;base64,…",
                param: "input")
        }
        return head.utf8.distance(from: head.startIndex, to: comma) + 1
    }

    /// Whether what stands before a colon can be a URL's scheme (RFC 3986, 3.1), none of which is as long as base64 is.
    private static func isScheme(_ text: Substring) -> Bool {
        let bytes = text.utf8
        guard bytes.count <= 32, let first = bytes.first, UnicodeScalar(first).properties.isAlphabetic, first < 0x80
        else { return false }
        return bytes.allSatisfy { $0 < 0x80 && (values[Int($0)] < 62 || "+-.".utf8.contains($0)) }
    }
}
