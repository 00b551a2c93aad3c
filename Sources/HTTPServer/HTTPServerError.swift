import Glibc

/// Why the server can't start.
public struct HTTPServerError: Error, Sendable, Equatable, CustomStringConvertible {
    /// `bad_address`, `address_in_use` or `cannot_listen`.
    public let code: String
    /// What was tried and what stood against it.
    public let message: String

    public var description: String { message }

    init(_ code: String, _ message: String) {
        self.code = code
        self.message = message
    }

    /// - Parameter number: of `errno`, read before anything else could change it.
    static func system(_ what: String, _ number: Int32) -> HTTPServerError {
        let reason = String(cString: strerror(number))
        return HTTPServerError(number == EADDRINUSE ? "address_in_use" : "cannot_listen", "\(what): \(reason)")
    }
}
