/// What becomes of a request whose head is known.
public enum HTTPDisposition: Sendable {
    /// Take the body, up to `limit` bytes (never more than `HTTPLimits.body`); 413 beyond.
    case collect(limit: Int)
    /// Answer without the body.
    case answer(HTTPResponse)
}

/// The decisions that a connection leaves to whoever knows the routes.
public protocol HTTPPolicy: Sendable {
    /// When the head is whole and no byte of the body has been taken. Runs on the connection's queue: returns at once.
    func disposition(of head: HTTPRequestHead) -> HTTPDisposition

    /// The answer to what the wire itself refuses; its status should be the error's.
    func response(to error: HTTPWireError) -> HTTPResponse

    /// The same where the refused request's head is known; by default it makes no difference.
    func response(to error: HTTPWireError, of head: HTTPRequestHead) -> HTTPResponse
}

extension HTTPPolicy {
    public func response(to error: HTTPWireError, of head: HTTPRequestHead) -> HTTPResponse { response(to: error) }
}
