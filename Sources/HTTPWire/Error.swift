/// Why the wire itself refuses a request, or a multipart body. A refused request's connection closes after the
/// response.
public struct HTTPWireError: Error, Sendable, Equatable, CustomStringConvertible {
    /// 400, 408, 413, 414, 415 (multipart), 429, 431, 500 (a handler that gave no response), 501,
    /// 503 (the server stops) or 505.
    public let status: Int
    /// A stable name in snake case for programs.
    public let code: String
    /// What was wrong and what was expected, for people.
    public let message: String

    public init(status: Int, code: String, message: String) {
        self.status = status
        self.code = code
        self.message = message
    }

    public var description: String { "\(status) \(code): \(message)" }

    static func malformed(_ code: String, _ message: String) -> HTTPWireError {
        HTTPWireError(status: 400, code: code, message: message)
    }
}
