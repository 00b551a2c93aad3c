import HTTPWire

/// What answers requests. `disposition(of:)` and `response(to:)` come from `HTTPPolicy`. All three run on a
/// connection's queue, which other connections share: they return soon.
public protocol HTTPHandler: HTTPPolicy {
    /// When a request that was accepted is whole. The answer may be given later, from any thread.
    func handle(_ request: HTTPRequest, answer: HTTPAnswer)

    /// What decides for a connection; by default the handler itself, for all of them.
    ///
    /// - Parameter peer: `ADDRESS:PORT`, `[IPv6]:PORT` or `unix`; `nil`: gone already. `HTTPAnswer.peer` is the same.
    func policy(for peer: String?) -> any HTTPPolicy

    /// When a server listens, before its first request; by default nothing. The server holds the handler, so the
    /// handler keeps no more than a weak reference.
    func started(_ server: HTTPServer)
}

extension HTTPHandler {
    public func policy(for peer: String?) -> any HTTPPolicy { self }

    public func started(_ server: HTTPServer) {}
}
