/// What a header says about the body's length and the host. Where RFC 9112 6.3 leaves a choice, the request is
/// refused: a lenient reading is what request smuggling needs.
enum Framing {
    static func of(_ headers: HTTPHeaders, minorVersion: Int) throws(HTTPWireError) -> BodyFraming {
        guard headers.contains("Content-Length") || headers.contains("Transfer-Encoding") else { return .none }
        let lengths = headers.all("Content-Length")
        let codings = headers.all("Transfer-Encoding")
        if let coding = codings.first {
            guard lengths.isEmpty else {
                throw .malformed("length_and_coding", "Content-Length and Transfer-Encoding must not come together")
            }
            guard minorVersion >= 1 else {
                throw .malformed("coding_in_http_1_0", "HTTP/1.0 has no Transfer-Encoding; send Content-Length")
            }
            guard codings.count == 1 else {
                throw .malformed("bad_transfer_encoding", "Transfer-Encoding appears \(codings.count) times")
            }
            try checkCoding(Array(coding.utf8))
            return .chunked
        }
        guard let text = lengths.first else { return .none }
        guard lengths.allSatisfy({ $0 == text }) else {
            throw .malformed("bad_content_length", "Content-Length appears with different values")
        }
        guard let length = Int(digits: text) else {
            throw .malformed(
                "bad_content_length", "Content-Length \(quoted(text.utf8)) is not a number of bytes below 2^63")
        }
        return .length(length)
    }

    /// Returns for `chunked`, throws 501 for other well-formed codings and 400 for the rest.
    private static func checkCoding(_ value: [UInt8]) throws(HTTPWireError) {
        let members = value.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).map(\.trimmed)
        let bad = HTTPWireError.malformed(
            "bad_transfer_encoding", "Transfer-Encoding \(quoted(value)), expected \"chunked\"")
        for (position, member) in members.enumerated() {
            guard !member.isEmpty, member.allSatisfy(\.isToken) else { throw bad }
            if member.equalsIgnoringCase("identity".utf8) { throw bad }
            if member.equalsIgnoringCase("chunked".utf8), position != members.count - 1 { throw bad }
        }
        guard members.count == 1, value.equalsIgnoringCase("chunked".utf8) else {
            throw HTTPWireError(
                status: 501, code: "unknown_transfer_coding",
                message: "Transfer-Encoding \(quoted(value)): only \"chunked\" is known")
        }
    }

    /// RFC 9112 3.2: HTTP/1.1 needs exactly one Host, and a bad one is refused in any version. An empty one is valid.
    static func checkHost(_ headers: HTTPHeaders, minorVersion: Int) throws(HTTPWireError) {
        guard let host = headers.firstBytes("Host") else {
            if minorVersion == 0 { return }
            throw .malformed("missing_host", "an HTTP/1.1 request needs a Host field")
        }
        let count = headers.count(of: "Host")
        guard count == 1 else { throw .malformed("repeated_host", "the Host field appears \(count) times") }
        guard Authority.isValid(host), host.first != UInt8(ascii: ":") else {
            throw .malformed("bad_host", "Host \(quoted(host)) is not HOST or HOST:PORT")
        }
    }
}
