import HTTPWire

/// What responds to requests. All of it runs on a connection's queue, which other connections share: it returns soon.
public protocol HTTPHandler: Sendable {
    /// The head of a request is whole, and no byte of its body has been taken.
    ///
    /// - Parameter peer: `ADDRESS:PORT`, `[IPv6]:PORT` or `unix`; `nil`: disconnected already.
    func begin(_ head: HTTPRequestHead, peer: String?) -> HTTPDecision

    /// The response to what the wire refuses while no exchange is under way; its status should be the error's.
    ///
    /// - Parameter head: of the refused request, where that much of it was good.
    func response(to error: HTTPWireError, head: HTTPRequestHead?, peer: String?) -> HTTPResponse

    /// When a server listens, before its first request; by default nothing. The server holds the handler, so the
    /// handler keeps no more than a weak reference.
    func started(_ server: HTTPServer)
}

extension HTTPHandler {
    public func started(_ server: HTTPServer) {}
}

/// What to do with a request whose head is known.
public enum HTTPDecision: Sendable {
    /// Take the body, up to `limit` bytes (never more than `HTTPLimits.body`; 413 beyond), and go on with the exchange.
    case collect(limit: Int, any HTTPExchange)
    /// Respond without the body.
    case respond(HTTPResponse)
}

/// One accepted request, from its head to its response. All calls are on the connection's queue: they return soon.
public protocol HTTPExchange: AnyObject, Sendable {
    /// The request is whole. The response may be given later, from any thread.
    func run(body: [UInt8], responder: HTTPResponder)

    /// The response to what the wire refuses of this request's body; its status should be the error's. Ends the
    /// exchange.
    func response(to error: HTTPWireError) -> HTTPResponse

    /// The client has disconnected before the response was whole: work on the request is lost work.
    func cancel()
}
