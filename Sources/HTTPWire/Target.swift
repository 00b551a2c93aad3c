/// A request target (RFC 9112 3.2) and the Host field, taken apart.
struct RequestTarget {
    let path: String
    let query: [QueryItem]

    /// - Parameter bytes: the target as sent, in origin, absolute, authority (CONNECT) or asterisk (OPTIONS) form.
    init(_ bytes: ArraySlice<UInt8>, method: String) throws(HTTPWireError) {
        if method == "CONNECT" {
            guard let colon = bytes.lastIndex(of: UInt8(ascii: ":")), colon > bytes.startIndex,
                colon + 1 < bytes.endIndex, Authority.isValid(bytes)
            else { throw Self.bad(bytes, "CONNECT takes HOST:PORT") }
            (path, query) = ("", [])
            return
        }
        if bytes.elementsEqual([UInt8(ascii: "*")]) {
            guard method == "OPTIONS" else { throw Self.bad(bytes, "\"*\" goes with OPTIONS only") }
            (path, query) = ("*", [])
            return
        }
        let local = try Self.withoutAuthority(bytes)
        let mark = local.firstIndex(of: UInt8(ascii: "?")) ?? local.endIndex
        let (rawPath, rawQuery) = (local[..<mark], local[mark...].dropFirst())
        for byte in rawPath where !Self.isPathByte(byte) {
            throw Self.bad(bytes, "\(quoted([byte])) must be percent-encoded in a path")
        }
        for byte in rawQuery where !Self.isQueryByte(byte) {
            throw Self.bad(bytes, "\(quoted([byte])) must be percent-encoded in a query")
        }
        path = try Self.decode(rawPath.isEmpty ? [UInt8(ascii: "/")] : rawPath, of: bytes, plusIsSpace: false)
        query = try Self.items(rawQuery, of: bytes)
    }

    /// Absolute form (RFC 9112 3.2.2) names the same resource as its path does.
    private static func withoutAuthority(_ bytes: ArraySlice<UInt8>) throws(HTTPWireError) -> ArraySlice<UInt8> {
        if bytes.first == UInt8(ascii: "/") { return bytes }
        for scheme in ["http://", "https://"] where bytes.prefix(scheme.utf8.count).equalsIgnoringCase(scheme.utf8) {
            let rest = bytes.dropFirst(scheme.utf8.count)
            let end = rest.firstIndex { $0 == UInt8(ascii: "/") || $0 == UInt8(ascii: "?") } ?? rest.endIndex
            guard end > rest.startIndex, rest[rest.startIndex] != UInt8(ascii: ":"), Authority.isValid(rest[..<end])
            else {
                throw bad(bytes, "no valid host behind \(scheme)")
            }
            return rest[end...]
        }
        throw bad(bytes, "expected a path that begins with \"/\"")
    }

    private static func items(
        _ raw: ArraySlice<UInt8>, of target: ArraySlice<UInt8>
    ) throws(HTTPWireError) -> [QueryItem] {
        var items: [QueryItem] = []
        for pair in raw.split(separator: UInt8(ascii: "&")) {
            let equals = pair.firstIndex(of: UInt8(ascii: "=")) ?? pair.endIndex
            let name = try decode(pair[..<equals], of: target, plusIsSpace: true)
            items.append(QueryItem(name, try decode(pair[equals...].dropFirst(), of: target, plusIsSpace: true)))
        }
        return items
    }

    private static func decode(
        _ raw: ArraySlice<UInt8>, of target: ArraySlice<UInt8>, plusIsSpace: Bool
    ) throws(HTTPWireError) -> String {
        let isPlain = !raw.contains { $0 == UInt8(ascii: "%") || ($0 == UInt8(ascii: "+") && plusIsSpace) }
        // A target's bytes are ASCII: they have been checked.
        if isPlain { return String(decoding: raw, as: UTF8.self) }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(raw.count)
        var rest = raw
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                guard let high = rest.popFirst()?.hexValue, let low = rest.popFirst()?.hexValue else {
                    throw bad(target, "\"%\" must be followed by two hexadecimal digits")
                }
                let decoded = high << 4 | low
                guard decoded != 0 else { throw bad(target, "a NUL is never part of a name") }
                // In a path a slash that is data isn't one that divides (RFC 3986 2.2): it stays as it is written.
                let staysEncoded = !plusIsSpace && decoded == UInt8(ascii: "/")
                bytes += staysEncoded ? Array("%2F".utf8) : [decoded]
            } else {
                bytes.append(plusIsSpace && byte == UInt8(ascii: "+") ? .space : byte)
            }
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw bad(target, "its percent-decoded bytes are not UTF-8")
        }
        return text
    }

    /// `pchar` or `/` (RFC 3986 3.3).
    private static func isPathByte(_ byte: UInt8) -> Bool {
        byte.isUnreserved || byte.isSubDelimiter || byte == UInt8(ascii: "%") || byte == UInt8(ascii: ":")
            || byte == UInt8(ascii: "@")
            || byte == UInt8(ascii: "/")
    }

    /// RFC 3986 3.4, and the brackets and bar that clients send unencoded.
    private static func isQueryByte(_ byte: UInt8) -> Bool {
        isPathByte(byte) || byte == UInt8(ascii: "?") || byte == UInt8(ascii: "[") || byte == UInt8(ascii: "]")
            || byte == UInt8(ascii: "|")
    }

    private static func bad(_ target: ArraySlice<UInt8>, _ why: String) -> HTTPWireError {
        .malformed("bad_target", "request target \(quoted(target)): \(why)")
    }
}

/// `uri-host [ ":" port ]` (RFC 9110 7.2), without user information.
enum Authority {
    /// A comma is refused although `reg-name` allows it: it is how two Host fields look when a proxy joins them.
    static func isValid(_ bytes: ArraySlice<UInt8>) -> Bool {
        if bytes.first == UInt8(ascii: "[") {
            guard let close = bytes.firstIndex(of: UInt8(ascii: "]")) else { return false }
            let literal = bytes[..<close].dropFirst()
            let isAddress = literal.contains(UInt8(ascii: ":")) && literal.count <= 45
            guard
                isAddress,
                literal.allSatisfy({ $0.hexValue != nil || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: ".") })
            else { return false }
            return isPort(bytes[close...].dropFirst())
        }
        let colon = bytes.firstIndex(of: UInt8(ascii: ":")) ?? bytes.endIndex
        return isName(bytes[..<colon]) && isPort(bytes[colon...])
    }

    private static func isName(_ bytes: ArraySlice<UInt8>) -> Bool {
        var rest = bytes
        while let byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                guard rest.popFirst()?.hexValue != nil, rest.popFirst()?.hexValue != nil else { return false }
            } else if !(byte.isUnreserved || byte.isSubDelimiter) || byte == UInt8(ascii: ",") {
                return false
            }
        }
        return true
    }

    /// Nothing, or a colon and up to five digits that make at most 65535.
    private static func isPort(_ bytes: ArraySlice<UInt8>) -> Bool {
        guard let colon = bytes.first else { return true }
        let digits = bytes.dropFirst()
        guard colon == UInt8(ascii: ":"), digits.count <= 5, digits.allSatisfy(\.isDigit) else { return false }
        return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) } <= 65_535
    }
}
