extension JSONValue {
    /// Reads one JSON text, strictly as RFC 8259 has it: nothing after it, no repeated names in an object, valid UTF-8.
    ///
    /// Numbers beyond the range of a double and numbers of more than 1,024 characters are refused (RFC 8259, 9).
    /// - Parameters:
    ///   - maxDepth: arrays and objects within each other.
    ///   - maxValues: values in all; bounds the memory that a text takes as a tree, which a byte count doesn't
    ///     (`[1,1,…` takes twelve times its size).
    ///   - extensions: what is read beyond RFC 8259's grammar.
    public static func parse(
        _ bytes: [UInt8], maxDepth: Int = 64, maxValues: Int = 1 << 20, extensions: JSONExtensions = []
    ) throws(JSONError) -> JSONValue {
        try bytes.withUnsafeBufferPointer { (buffer) throws(JSONError) in
            try parse(buffer, maxDepth: maxDepth, maxValues: maxValues, extensions: extensions)
        }
    }

    /// As `parse` of an array of bytes; offsets in errors count from the start of the slice.
    public static func parse(
        _ bytes: ArraySlice<UInt8>, maxDepth: Int = 64, maxValues: Int = 1 << 20, extensions: JSONExtensions = []
    ) throws(JSONError) -> JSONValue {
        try bytes.withUnsafeBufferPointer { (buffer) throws(JSONError) in
            try parse(buffer, maxDepth: maxDepth, maxValues: maxValues, extensions: extensions)
        }
    }

    /// As `parse` of an array of bytes.
    public static func parse(
        _ bytes: UnsafeBufferPointer<UInt8>, maxDepth: Int = 64, maxValues: Int = 1 << 20,
        extensions: JSONExtensions = []
    ) throws(JSONError) -> JSONValue {
        var parser = JSONParser(
            bytes: bytes, depthLeft: maxDepth, maxDepth: maxDepth, valuesLeft: maxValues, extensions: extensions)
        return try parser.parseText()
    }
}

/// A recursive descent over bytes. Invariant: `position <= bytes.count`; every read follows a check against it.
struct JSONParser {
    let bytes: UnsafeBufferPointer<UInt8>
    var position = 0
    var depthLeft: Int
    let maxDepth: Int
    var valuesLeft: Int
    let extensions: JSONExtensions

    init(
        bytes: UnsafeBufferPointer<UInt8>, depthLeft: Int, maxDepth: Int, valuesLeft: Int, extensions: JSONExtensions
    ) {
        self.bytes = bytes
        self.depthLeft = depthLeft
        self.maxDepth = maxDepth
        self.valuesLeft = valuesLeft
        self.extensions = extensions
    }

    /// The next byte, `nil` at the end.
    var next: UInt8? { position < bytes.count ? bytes[position] : nil }

    mutating func parseText() throws(JSONError) -> JSONValue {
        try skipByteOrderMark()
        skipSpace()
        let value = try parseValue()
        skipSpace()
        guard position == bytes.count else { throw unexpected("the end of the text") }
        return value
    }

    private mutating func skipByteOrderMark() throws(JSONError) {
        guard let mark = ByteOrderMark(startOf: bytes) else { return }
        if let refusal = mark.refusal { throw JSONError(offset: 0, message: refusal) }
        if extensions.contains(.byteOrderMark) { position = mark.bytes.count }
    }

    mutating func skipSpace() {
        while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    func unexpected(_ wanted: String) -> JSONError {
        guard let byte = next else {
            return JSONError(offset: position, message: "expected \(wanted), found the end of the text")
        }
        let printable = byte > 0x20 && byte < 0x7F
        let digits = "0123456789ABCDEF".utf8.map { $0 }
        let hex = String(decoding: [digits[Int(byte >> 4)], digits[Int(byte & 15)]], as: UTF8.self)
        let found = printable ? "'\(Character(UnicodeScalar(byte)))'" : "byte 0x\(hex)"
        return JSONError(offset: position, message: "expected \(wanted), found \(found)")
    }

    mutating func parseValue() throws(JSONError) -> JSONValue {
        guard valuesLeft > 0 else { throw JSONError(offset: position, message: "too many values") }
        valuesLeft -= 1
        guard let byte = next else { throw unexpected("a value") }
        switch byte {
        case UInt8(ascii: "{"): return try nested { (parser) throws(JSONError) in try parser.parseObject() }
        case UInt8(ascii: "["): return try nested { (parser) throws(JSONError) in try parser.parseArray() }
        case UInt8(ascii: "\""): return .string(try parseString())
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try parseNumber()
        case UInt8(ascii: "t"): return try parseWord("true", .bool(true))
        case UInt8(ascii: "f"): return try parseWord("false", .bool(false))
        case UInt8(ascii: "n"): return try parseWord("null", .null)
        case UInt8(ascii: "N") where extensions.contains(.nonFiniteNumbers):
            return try parseWord("NaN", .number(.nan))
        case UInt8(ascii: "I") where extensions.contains(.nonFiniteNumbers):
            return try parseWord("Infinity", .number(.infinity))
        default: throw unexpected("a value")
        }
    }

    private mutating func nested(
        _ body: (inout JSONParser) throws(JSONError) -> JSONValue
    ) throws(JSONError) -> JSONValue {
        guard depthLeft > 0 else {
            throw JSONError(offset: position, message: "nested deeper than \(maxDepth) levels")
        }
        depthLeft -= 1
        position += 1
        skipSpace()
        let value = try body(&self)
        depthLeft += 1
        return value
    }

    mutating func parseWord(_ word: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        for index in 0..<word.utf8CodeUnitCount {
            guard next == word.utf8Start[index] else { throw unexpected("'\(word)'") }
            position += 1
        }
        return value
    }

    private mutating func parseArray() throws(JSONError) -> JSONValue {
        var elements: [JSONValue] = []
        if next == UInt8(ascii: "]") {
            position += 1
            return .array(elements)
        }
        while true {
            elements.append(try parseValue())
            skipSpace()
            guard let byte = next, byte == UInt8(ascii: ",") || byte == UInt8(ascii: "]") else {
                throw unexpected("',' or ']' after the element")
            }
            position += 1
            if byte == UInt8(ascii: "]") { return .array(elements) }
            skipSpace()
        }
    }

    private mutating func parseObject() throws(JSONError) -> JSONValue {
        var object = JSONObject()
        if next == UInt8(ascii: "}") {
            position += 1
            return .object(object)
        }
        while true {
            let start = position
            guard next == UInt8(ascii: "\"") else { throw unexpected("a name in quotes") }
            let name = try parseString()
            skipSpace()
            guard next == UInt8(ascii: ":") else { throw unexpected("':' after the name") }
            position += 1
            skipSpace()
            let value = try parseValue()
            guard object.appendUnique(name, value) else {
                throw JSONError(offset: start, message: "the name \(JSONValue.string(shortened(name))) is repeated")
            }
            skipSpace()
            guard let byte = next, byte == UInt8(ascii: ",") || byte == UInt8(ascii: "}") else {
                throw unexpected("',' or '}' after the member")
            }
            position += 1
            if byte == UInt8(ascii: "}") { return .object(object) }
            skipSpace()
        }
    }

    private func shortened(_ name: String) -> String {
        name.utf8.count <= 64 ? name : String(decoding: name.utf8.prefix(64), as: UTF8.self) + "…"
    }
}
