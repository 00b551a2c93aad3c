/// One stream of bytes and what must come of it.
struct WireCase: Sendable, CustomStringConvertible {
    enum Outcome: Sendable, Equatable {
        /// Methods, paths and bodies of the requests, in order.
        case requests([String])
        /// The status and code of the one refusal.
        case refusal(Int, String)
    }

    let name: String
    let bytes: [UInt8]
    let outcome: Outcome

    var description: String { name }
}

/// Cases by what they are about.
enum WireTable {
    static let all: [WireCase] =
        requestLines + targets + fieldLines + hosts + lengths + codings + chunks + quotedExtensions + limits + sequences

    static let refused = all.filter {
        if case .refusal = $0.outcome { return true }
        return false
    }

    /// Behind every refused request: an answer to it would be a smuggled request.
    static let canary = Array("GET /canary HTTP/1.1\r\nHost: canary\r\n\r\n".utf8)

    static func takes(_ name: String, _ text: String, _ requests: String...) -> WireCase {
        WireCase(name: name, bytes: latin1(text), outcome: .requests(requests))
    }

    static func refuses(_ name: String, _ text: String, _ status: Int, _ code: String) -> WireCase {
        WireCase(name: name, bytes: latin1(text), outcome: .refusal(status, code))
    }

    /// A request line as given, then a Host.
    static func line(_ name: String, _ line: String, _ request: String) -> WireCase {
        takes(name, line + "\r\nHost: a\r\n\r\n", request)
    }

    static func badLine(_ name: String, _ line: String, _ status: Int, _ code: String) -> WireCase {
        refuses(name, line + "\r\nHost: a\r\n\r\n", status, code)
    }

    /// A GET with a Host and then `fields`, each with its line end.
    static func field(_ name: String, _ fields: String) -> WireCase {
        takes(name, "GET /f HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n", "GET /f ")
    }

    static func badField(_ name: String, _ fields: String, _ status: Int, _ code: String) -> WireCase {
        refuses(name, "GET /f HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n", status, code)
    }

    /// A POST with `fields`, each with its line end, and a body.
    static func post(_ name: String, _ fields: String, _ body: String, gives content: String) -> WireCase {
        takes(name, "POST /p HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\(body)", "POST /p \(content)")
    }

    static func badPost(
        _ name: String, _ fields: String, _ body: String, _ status: Int, _ code: String
    ) -> WireCase {
        refuses(name, "POST /p HTTP/1.1\r\nHost: a\r\n\(fields)\r\n\(body)", status, code)
    }

    /// A chunked body as it is on the wire.
    static func chunked(_ name: String, _ body: String, gives content: String) -> WireCase {
        post(name, "Transfer-Encoding: chunked\r\n", body, gives: content)
    }

    static func badChunked(_ name: String, _ body: String, _ code: String, status: Int = 400) -> WireCase {
        badPost(name, "Transfer-Encoding: chunked\r\n", body, status, code)
    }

    static func hex(_ value: Int) -> String {
        (value < 16 ? "0" : "") + String(value, radix: 16)
    }

    static func character(_ value: Int) -> String {
        String(Unicode.Scalar(UInt8(value)))
    }
}
