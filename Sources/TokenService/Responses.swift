import HTTPWire

/// Answers as HTTP has them.
enum Responses {
    static func ok(_ type: String, _ body: [UInt8], _ fields: [(String, String)] = []) -> HTTPResponse {
        var headers: HTTPHeaders = ["Content-Type": type]
        for (name, value) in fields { headers.add(name, value) }
        return HTTPResponse(status: 200, headers: headers, body: body)
    }

    /// What stays the same until its bytes change; a client may ask with `If-None-Match` whether they have.
    static func resource(_ type: String, _ body: [UInt8], _ fields: [(String, String)] = []) -> HTTPResponse {
        ok(type, body, fields + [("ETag", EntityTag.of(body)), ("Cache-Control", "no-cache")])
    }

    /// - Parameter path: the request's; decides the form of the body.
    static func error(_ error: ServiceError, id: String, path: String = "") -> HTTPResponse {
        var headers: HTTPHeaders = ["Content-Type": MediaType.json]
        if let seconds = error.retryAfter { headers.add("Retry-After", "\(seconds)") }
        if error.status == 401 { headers.add("WWW-Authenticate", "Bearer") }
        if let methods = error.allow { headers.add("Allow", methods) }
        return HTTPResponse(
            status: error.status, headers: headers,
            body: KServeRoute.owns(path) ? KServeAnswers.error(error) : Answers.error(error, requestID: id))
    }

    /// What every answer carries.
    static func stamp(
        _ response: inout HTTPResponse, id: String, _ phase: Lifecycle.Phase, _ timings: Timings = Timings()
    ) {
        response.headers.set("X-Request-Id", id)
        response.headers.set("Server-Timing", timings.field)
        if phase == .closed { response.headers.set("Connection", "close") }
    }

    /// The client's `X-Request-Id` if it is 1...128 visible ASCII characters, else a new one.
    static func requestID(_ head: HTTPRequestHead) -> String {
        let sent = head.headers.first("X-Request-Id") ?? ""
        let isPlain = (1...128).contains(sent.utf8.count) && sent.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        return isPlain ? sent : newID()
    }

    /// 32 hexadecimal digits.
    static func newID() -> String {
        let digits = Array("0123456789abcdef".utf8)
        var bits = (UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max))
        return String(
            decoding: (0..<32).map { index in
                defer { if index < 16 { bits.0 >>= 4 } else { bits.1 >>= 4 } }
                return digits[Int((index < 16 ? bits.0 : bits.1) & 15)]
            }, as: UTF8.self)
    }
}
