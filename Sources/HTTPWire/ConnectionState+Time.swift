// Time.
extension ConnectionState {
    /// Whether `tick` would close the connection or refuse its request because bytes haven't come. The socket
    /// should be read first: what it holds by then came in time.
    public func lacksInput(at moment: HTTPMoment) -> Bool {
        let now = moment.monotonic
        switch phase {
        case .idle, .lingering: return now >= deadline
        case .head: return now >= deadline || isDrained(at: now)
        case .body, .discarding: return now >= min(deadline, window.end) || isDrained(at: now)
        case .deciding, .waiting, .refusing, .streaming, .writing, .closed: return false
        }
    }

    /// Whether the server stops and no request is waited for any longer.
    private func isDrained(at now: Duration) -> Bool {
        guard let drainEnd else { return false }
        return now >= drainEnd
    }

    /// Time has passed. A call every quarter of a second is often enough.
    public mutating func tick(at moment: HTTPMoment) -> [Action] {
        let now = moment.monotonic
        switch phase {
        case .idle, .lingering:
            return now >= deadline ? close() : []
        case .head:
            if now >= deadline { return refuse(.tooSlow("the header did not end within \(limits.headerTime)")) }
            return isDrained(at: now) ? refuse(.stopping("header", limits)) : []
        case .body, .discarding:
            return tickBody(now)
        case .waiting:
            guard let probeAt, now >= probeAt else { return [] }
            self.probeAt = nil
            guard !isProbed, let head, head.minorVersion >= 1 else { return [] }
            isProbed = true
            return write([Serializer.continueLine])
        case .streaming where unwritten == 0:
            return []
        case .streaming, .writing:
            guard now >= window.end else { return [] }
            guard window.bytes >= leastBytes(in: limits.responseUnread) else { return close() }
            window = Window(end: now + limits.responseUnread)
            return []
        case .deciding, .refusing, .closed:
            return []
        }
    }

    private mutating func tickBody(_ now: Duration) -> [Action] {
        if now >= deadline { return refuse(.tooSlow("the body did not end within \(limits.bodyTime)")) }
        if isDrained(at: now) { return refuse(.stopping("body", limits)) }
        guard now >= window.end else { return [] }
        guard window.bytes >= leastBytes(in: limits.bodyWindow) else {
            let rate = "\(limits.bodyRate) bytes per second over \(limits.bodyWindow)"
            return refuse(.tooSlow("the body came slower than \(rate)"))
        }
        window = Window(end: now + limits.bodyWindow)
        return []
    }

    private func leastBytes(in window: Duration) -> Int {
        limits.bodyRate * Int(clamping: window.components.seconds)
    }
}

extension HTTPWireError {
    static func tooSlow(_ message: String) -> HTTPWireError {
        HTTPWireError(status: 408, code: "request_timeout", message: message)
    }

    /// - Parameter part: of the request, which hasn't come to its end.
    static func stopping(_ part: String, _ limits: HTTPLimits) -> HTTPWireError {
        HTTPWireError(
            status: 503, code: "draining",
            message: "the service is stopping, and the \(part) did not end within \(limits.drainRequest)")
    }
}
