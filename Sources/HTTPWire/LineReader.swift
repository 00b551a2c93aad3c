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
    init(inLine line: ArraySlice<UInt8>) throws(HTTPWireError) {
        guard let first = line.first, first != .space, first != .tab else {
            throw .malformed("folded_field", "a field line must not begin with white space: \(quoted(line))")
        }
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
            throw .malformed("bad_field", "a field line needs a colon: \(quoted(line))")
        }
        let name = line[..<colon]
        guard !name.isEmpty, name.allSatisfy(\.isToken) else {
            throw .malformed(
                "bad_field_name", "a field name must be letters, digits and !#$%&'*+-.^_`|~: \(quoted(name))")
        }
        let raw = line[colon...].dropFirst()
        if name.equalsIgnoringCase("transfer-encoding".utf8), raw.contains(.tab) {
            throw .malformed("bad_transfer_encoding", "Transfer-Encoding holds a tab, expected \"chunked\"")
        }
        let value = raw.trimmed
        self.init(name: name.startIndex..<name.endIndex, value: value.startIndex..<value.endIndex)
    }
}
