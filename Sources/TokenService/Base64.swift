/// RFC 4648, section 4: padded, nothing outside the alphabet.
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
        guard text.count % 4 == 0 else {
            return .failure(
                lineBreak(text)
                    ?? Failure(offset: text.count, message: "\(text.count) characters, expected a multiple of 4"))
        }
        let padding = text.suffix(2).reversed().prefix { $0 == UInt8(ascii: "=") }.count
        let digits = text.count - padding
        return values.withUnsafeBufferPointer { values in
            for index in 0..<digits where values[Int(text[index])] == 255 {
                return .failure(
                    lineBreak(text) ?? Failure(offset: index, message: "a character outside the base64 alphabet"))
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

    /// What `base64` writes unless told not to, at the end at least.
    private static func lineBreak(_ text: UnsafeBufferPointer<UInt8>) -> Failure? {
        text.firstIndex { $0 == 0x0A || $0 == 0x0D }.map {
            Failure(offset: $0, message: "a line break, expected none, not at the end either")
        }
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
    package static func picture(_ text: String) throws(ServiceError) -> [UInt8] {
        var text = text
        // A string made by the parser is native UTF-8: no copy.
        text.makeContiguousUTF8()
        let utf8 = text.utf8
        let offset = try dataStart(utf8)
        do {
            return try decode(utf8.dropFirst(offset))
        } catch {
            throw ServiceError(
                400, "invalid_base64", "base64 at character \(offset + error.offset): \(error.message)", param: "input")
        }
    }

    /// Where the data of a data: URL begins; 0 for bare base64.
    private static func dataStart(_ text: String.UTF8View) throws(ServiceError) -> Int {
        let head = String(decoding: text.prefix(256), as: UTF8.self)
        guard let colon = head.firstIndex(of: ":") else { return 0 }
        guard head[..<colon].lowercased() == "data" else {
            throw ServiceError(
                400, "url_not_fetched",
                "'\(shortened(head, to: 32))': no URL is ever fetched; expected base64 or a data: URL", param: "input")
        }
        guard let comma = head.firstIndex(of: ","), head[..<comma].lowercased().hasSuffix(";base64") else {
            throw ServiceError(
                400, "invalid_data_url", "'\(shortened(head, to: 32))': expected data:image/…;base64,…", param: "input")
        }
        return head.utf8.distance(from: head.startIndex, to: comma) + 1
    }
}
