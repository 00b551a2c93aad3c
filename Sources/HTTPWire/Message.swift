/// How long a request's body is (RFC 9112 6.3).
public enum BodyFraming: Sendable, Equatable {
    case none
    /// `Content-Length`, in bytes.
    case length(Int)
    case chunked
}

/// One pair of a query (`name=value&…`), percent-decoded, `+` read as a space.
public struct QueryItem: Sendable, Equatable {
    public let name: String
    public let value: String

    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// A request without its body: RFC 9112 3 and 5, checked. Immutable and shared: several hold it until the response is
/// made.
public final class HTTPRequestHead: Sendable {
    /// Compared with its case (RFC 9110 9.1).
    public let method: String
    /// As it was sent.
    public let target: String
    /// Percent-decoded, but for `%2F`, which divides nothing; `*` for `OPTIONS *`, empty for `CONNECT`.
    public let path: String
    public let query: [QueryItem]
    /// 0 or 1: HTTP/1.0 or HTTP/1.1.
    public let minorVersion: Int
    public let headers: HTTPHeaders
    public let framing: BodyFraming

    public init(
        method: String, target: String, path: String, query: [QueryItem] = [], minorVersion: Int = 1,
        headers: HTTPHeaders = [:], framing: BodyFraming = .none
    ) {
        self.method = method
        self.target = target
        self.path = path
        self.query = query
        self.minorVersion = minorVersion
        self.headers = headers
        self.framing = framing
    }

    /// Whether the client waits for `100 Continue` (RFC 9110 10.1.1; HTTP/1.0 can't). Without a body there is
    /// nothing to wait for.
    public var expectsContinue: Bool {
        minorVersion >= 1 && framing != .none && framing != .length(0)
            && headers.list("Expect", contains: "100-continue")
    }

    /// Whether the connection may be kept after the response (RFC 9112 9.3).
    public var allowsKeepAlive: Bool {
        if headers.list("Connection", contains: "close") { return false }
        return minorVersion >= 1 || headers.list("Connection", contains: "keep-alive")
    }

    /// The value of the first pair of the query called `name`.
    public func queryValue(_ name: String) -> String? {
        query.first { $0.name == name }?.value
    }
}

extension HTTPRequestHead: Equatable {
    public static func == (one: HTTPRequestHead, other: HTTPRequestHead) -> Bool {
        one === other
            || (one.method == other.method && one.target == other.target && one.path == other.path
                && one.query == other.query && one.minorVersion == other.minorVersion && one.headers == other.headers
                && one.framing == other.framing)
    }
}

/// A whole request.
public struct HTTPRequest: Sendable, Equatable {
    public let head: HTTPRequestHead
    public let body: [UInt8]

    public init(head: HTTPRequestHead, body: [UInt8] = []) {
        self.head = head
        self.body = body
    }
}

/// A whole response. `Content-Length`, `Date` and `Connection` are the serializer's; `Connection: close` among the
/// headers asks for the connection to be closed.
public struct HTTPResponse: Sendable, Equatable {
    /// 200...599.
    public var status: Int
    public var headers: HTTPHeaders
    /// A response to HEAD carries the body that GET would have; it isn't sent.
    public var body: [UInt8]

    public init(status: Int, headers: HTTPHeaders = [:], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// RFC 9110 15; empty for a status this service never sends, as the grammar allows.
    public static func reasonPhrase(of status: Int) -> String {
        reasonPhrases[status] ?? ""
    }

    private static let reasonPhrases: [Int: String] = [
        100: "Continue", 200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 206: "Partial Content",
        301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified", 307: "Temporary Redirect",
        308: "Permanent Redirect", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found",
        405: "Method Not Allowed", 406: "Not Acceptable", 408: "Request Timeout", 409: "Conflict", 410: "Gone",
        411: "Length Required", 412: "Precondition Failed", 413: "Content Too Large", 414: "URI Too Long",
        415: "Unsupported Media Type", 416: "Range Not Satisfiable", 417: "Expectation Failed",
        422: "Unprocessable Content", 426: "Upgrade Required", 428: "Precondition Required",
        429: "Too Many Requests", 431: "Request Header Fields Too Large", 499: "Client Closed Request",
        500: "Internal Server Error", 501: "Not Implemented", 502: "Bad Gateway", 503: "Service Unavailable",
        504: "Gateway Timeout", 505: "HTTP Version Not Supported", 507: "Insufficient Storage",
    ]
}
