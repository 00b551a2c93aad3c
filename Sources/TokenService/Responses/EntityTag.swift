import Crypto
import HTTPWire
import TokenFormats

/// Strong entity tags (RFC 9110 8.8.3), and the condition that a client puts on them.
enum EntityTag {
    /// Of a body: other bytes, another tag.
    static func of(_ body: [UInt8]) -> String { "\"\(hexadecimal(SHA256.hash(data: body).prefix(16)))\"" }

    /// Whether `If-None-Match` says that the client has the resource already (RFC 9110 13.1.2). What is no list of
    /// entity tags names none.
    static func isKnown(_ tag: String, to headers: HTTPHeaders) -> Bool {
        headers.all("If-None-Match").contains { field in
            if field == "*" { return true }
            var rest = Substring(field)
            while let opening = rest.firstIndex(of: "\"") {
                guard let closing = rest[rest.index(after: opening)...].firstIndex(of: "\"") else { return false }
                // Weak comparison: what stands before the quotes doesn't matter.
                if rest[opening...closing] == tag { return true }
                rest = rest[rest.index(after: closing)...]
            }
            return false
        }
    }
}

extension HTTPResponse {
    /// Itself, or 304 where it has an entity tag that the client knows.
    func conditional(on head: HTTPRequestHead) -> HTTPResponse {
        guard status == 200, let tag = headers.first("ETag"), EntityTag.isKnown(tag, to: head.headers) else {
            return self
        }
        return HTTPResponse(status: 304, headers: HTTPHeaders(headers.fields.filter { $0.name != "Content-Type" }))
    }
}
