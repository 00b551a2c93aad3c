/// Collects one line that ends in CRLF and holds nothing but field content (RFC 9112 2.2).
///
/// The RFC lets a recipient take a bare LF as a line's end; we don't, because two parsers that disagree about where
/// a line ends are what request smuggling needs.
struct LineReader {
    private var line: [UInt8] = []
    private var sawCR = false

    /// Bytes of the line so far, without its CRLF.
    var count: Int { line.count }
    var isEmpty: Bool { line.isEmpty && !sawCR }

    /// - Returns: whether `byte` ended the line.
    mutating func take(_ byte: UInt8) throws(HTTPWireError) -> Bool {
        if sawCR {
            guard byte == .lf else {
                throw .malformed("bare_cr", "a CR must be followed by LF, found \(quoted([byte]))")
            }
            return true
        }
        if byte == .cr {
            sawCR = true
        } else if byte == .lf {
            throw .malformed("bare_lf", "a line must end in CRLF, found LF alone behind \(quoted(line.suffix(20)))")
        } else if byte.isFieldContent {
            line.append(byte)
        } else {
            throw .malformed(
                "control_character", "control character \(quoted([byte])) behind \(quoted(line.suffix(20)))")
        }
        return false
    }

    /// Hands the line over and starts afresh, with no memory held.
    mutating func finish() -> [UInt8] {
        defer { self = LineReader() }
        return line
    }
}

extension HTTPHeaders.Place {
    /// Finds name and value in a field line (RFC 9112 5) without its CRLF.
    init(inLine line: Span<UInt8>) throws(HTTPWireError) {
        guard !line.isEmpty, line[0] != .space, line[0] != .tab else {
            throw .malformed("folded_field", "a field line must not begin with white space: \(quoted(line.copy))")
        }
        var colon = 0
        while colon < line.count, line[colon].isToken { colon += 1 }
        guard colon > 0, colon < line.count, line[colon] == UInt8(ascii: ":") else {
            let bytes = line.copy
            guard let colon = bytes.firstIndex(of: UInt8(ascii: ":")) else {
                throw .malformed("bad_field", "a field line needs a colon: \(quoted(bytes))")
            }
            throw .malformed(
                "bad_field_name", "a field name must be letters, digits and !#$%&'*+-.^_`|~: \(quoted(bytes[..<colon]))"
            )
        }
        var (start, end) = (colon + 1, line.count)
        while start < end, line[start] == .space || line[start] == .tab { start += 1 }
        while end > start, line[end - 1] == .space || line[end - 1] == .tab { end -= 1 }
        self.init(name: 0..<colon, value: start..<end)
        if colon == 17 { try Self.checkCoding(line.copy) }
    }

    /// - Throws: where the line is a Transfer-Encoding with a tab in its value.
    private static func checkCoding(_ line: [UInt8]) throws(HTTPWireError) {
        if line[..<17].equalsIgnoringCase("transfer-encoding".utf8), line.contains(.tab) {
            throw .malformed("bad_transfer_encoding", "Transfer-Encoding holds a tab, expected \"chunked\"")
        }
    }
}
