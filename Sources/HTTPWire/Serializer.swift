/// Writes responses (RFC 9112 4). The fields that frame a message are written here and nowhere else: a handler's own
/// are dropped, so a response can't end elsewhere than its length says.
enum Serializer {
    /// What the request decides about its response.
    struct Context {
        var minorVersion = 1
        var isHead = false
    }

    static let continueLine = Array("HTTP/1.1 100 Continue\r\n\r\n".utf8)

    /// The bytes of `response`, in one piece or, for a long body, in two.
    static func pieces(
        of response: HTTPResponse, context: Context, keepsAlive: Bool, date: HTTPDate
    ) -> [[UInt8]] {
        let hasBody = response.status != 204 && response.status != 304
        let body = hasBody && !context.isHead ? response.body : []
        let isShort = body.count <= 64 << 10
        // RFC 9110 8.6: no length with 204; 304 would need the length that 200 has.
        let framing: (StaticString, String)? = hasBody ? ("Content-Length", String(response.body.count)) : nil
        var bytes = header(
            of: response, framing, minorVersion: context.minorVersion, keepsAlive: keepsAlive, date: date,
            room: isShort ? body.count : 0)
        guard isShort else { return [bytes, body] }
        bytes.append(contentsOf: body)
        return [bytes]
    }

    /// The header of a response whose body follows in pieces: chunked, or ended by closing.
    static func streamHeader(
        of response: HTTPResponse, context: Context, keepsAlive: Bool, isChunked: Bool, date: HTTPDate
    ) -> [UInt8] {
        header(
            of: response, isChunked ? ("Transfer-Encoding", "chunked") : nil, minorVersion: context.minorVersion,
            keepsAlive: keepsAlive, date: date)
    }

    /// One chunk (RFC 9112 7.1). - Parameter piece: not empty, for an empty chunk is the last.
    static func chunk(_ piece: [UInt8]) -> [[UInt8]] {
        [Array("\(String(piece.count, radix: 16))\r\n".utf8) + piece + [.cr, .lf]]
    }

    static let lastChunk = Array("0\r\n\r\n".utf8)

    /// - Parameter room: bytes that will be appended.
    private static func header(
        of response: HTTPResponse, _ framing: (name: StaticString, value: String)?, minorVersion: Int, keepsAlive: Bool,
        date: HTTPDate, room: Int = 0
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(512 + room)
        appendStatusLine(response.status, to: &bytes)
        append("Date", date.text, to: &bytes)
        let headers = response.headers
        for place in headers.places where !isOwn(headers.bytes[place.name]) {
            guard headers.bytes[place.name].allSatisfy(\.isToken), !place.name.isEmpty else { continue }
            bytes.append(contentsOf: headers.bytes[place.name.lowerBound..<place.value.upperBound])
            bytes.append(contentsOf: [.cr, .lf])
        }
        if let framing { append(framing.name, framing.value, to: &bytes) }
        if !keepsAlive {
            append("Connection", "close", to: &bytes)
        } else if minorVersion == 0 {
            append("Connection", "keep-alive", to: &bytes)
        }
        bytes.append(contentsOf: [.cr, .lf])
        return bytes
    }

    private static func append(_ name: StaticString, _ value: String, to bytes: inout [UInt8]) {
        append(name, to: &bytes)
        append(": ", to: &bytes)
        bytes.append(contentsOf: value.utf8)
        append("\r\n", to: &bytes)
    }

    private static func append(_ text: StaticString, to bytes: inout [UInt8]) {
        text.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }

    private static func appendStatusLine(_ status: Int, to bytes: inout [UInt8]) {
        if status == 200 { return append("HTTP/1.1 200 OK\r\n", to: &bytes) }
        bytes.append(contentsOf: "HTTP/1.1 \(status) \(HTTPResponse.reasonPhrase(of: status))\r\n".utf8)
    }

    private static func isOwn(_ name: ArraySlice<UInt8>) -> Bool {
        switch name.count {
        case 4: name.equalsIgnoringCase("Date".utf8)
        case 10: name.equalsIgnoringCase("Connection".utf8) || name.equalsIgnoringCase("Keep-Alive".utf8)
        case 14: name.equalsIgnoringCase("Content-Length".utf8)
        case 17: name.equalsIgnoringCase("Transfer-Encoding".utf8)
        default: false
        }
    }
}
