// Strategy: the life of one connection as a value. Whoever owns the socket reports what happened and carries out the
// actions it gets back, in order; nothing here waits, reads a clock or owns a descriptor.
//
// Invariants:
// - One request at a time: the next is not parsed before the last byte of the answer has been written, so answers
//   come in order and a client that doesn't read its answers isn't read from.
// - After `.close` every input returns no action.
// - Once an answer with `Connection: close` is on its way no further request is parsed.
//
// A client that has gone, while its request waits: a FIN may mean that it closed or that it only said all it has to
// say (`shutdown(SHUT_WR)`), and TCP doesn't tell which. RST, or POLLERR or POLLHUP without our own FIN, means gone. So
// after a FIN the request waits on, and `halfClosedProbe` later an HTTP/1.1 client is sent `100 Continue`, which every
// client must be able to ignore (RFC 9110 15.2): the kernel of one that closed answers it with RST, and the next look
// at the socket sees that. An HTTP/1.0 client can't be probed; its answer is worked out and written to nobody.

/// One connection from accept to close: bytes, times and answers in, actions out.
public struct ConnectionState: Sendable {
    public enum Action: Sendable, Equatable {
        /// Hand the request over and report its answer with `answered`.
        case handle(HTTPRequest)
        /// Write these bytes behind all others; report what was taken with `wrote`.
        case write([UInt8])
        /// Send FIN (`shutdown(SHUT_WR)`) and go on reading.
        case finishWriting
        /// Nobody waits for the answer to the handed-over request any more.
        case abandon
        /// Release the socket; nothing more is written.
        case close
    }

    enum Phase: Sendable {
        /// Between requests, or before the first.
        case idle(deadline: Duration)
        case head(deadline: Duration)
        case body(BodyProgress)
        /// The handler has the request.
        case waiting(probeAt: Duration?)
        case writing(keepsAlive: Bool, progress: WriteProgress)
        /// FIN is sent; what arrives is thrown away.
        case lingering(deadline: Duration, bytesLeft: Int)
        case closed
    }

    let limits: HTTPLimits
    let policy: any HTTPPolicy
    var phase: Phase
    var parser: RequestParser
    /// Bytes behind the current request; at most what one `received` brought.
    var pending: [UInt8] = []
    /// What the current request decides about its answer; `nil` while none is known.
    var current: CurrentRequest?
    var unwritten = 0
    var inputEnded = false
    /// Once the server stops: when a request that hasn't come to its end is refused.
    var drainEnd: Duration?

    /// - Parameter openedAt: on the clock of all later moments.
    public init(limits: HTTPLimits, policy: any HTTPPolicy, openedAt: Duration) {
        self.limits = limits
        self.policy = policy
        parser = RequestParser(limits: limits)
        phase = .idle(deadline: openedAt + limits.freshSilence)
    }

    /// Whether bytes should be read from the peer now.
    public var wantsInput: Bool {
        switch phase {
        case .idle, .head, .body, .lingering: return true
        case .waiting, .writing, .closed: return false
        }
    }

    /// Whether the handler has a request; time to look whether the peer is still there.
    public var isWaiting: Bool {
        if case .waiting = phase { return true }
        return false
    }

    /// Whether a request has been accepted and isn't answered yet.
    public var isBusy: Bool {
        switch phase {
        case .body, .waiting, .writing: return true
        case .idle, .head, .lingering, .closed: return false
        }
    }

    /// Whether `tick` would close the connection or refuse its request because bytes haven't come. The socket
    /// should be read first: what it holds by then came in time.
    public func lacksInput(at moment: HTTPMoment) -> Bool {
        let now = moment.monotonic
        switch phase {
        case .idle(let deadline), .lingering(let deadline, _): return now >= deadline
        case .head(let deadline): return now >= deadline || isDrained(at: now)
        case .body(let progress): return now >= min(progress.deadline, progress.windowEnd) || isDrained(at: now)
        case .waiting, .writing, .closed: return false
        }
    }

    /// Of a body that hasn't come to its end.
    public var bodyBytes: Int {
        if case .body(let progress) = phase { return progress.bytes.count }
        return 0
    }

    public var isClosed: Bool {
        if case .closed = phase { return true }
        return false
    }

    /// Bytes came.
    public mutating func received(_ bytes: ArraySlice<UInt8>, at moment: HTTPMoment) -> [Action] {
        switch phase {
        case .idle, .head, .body:
            guard !pending.isEmpty else { return process(bytes, at: moment) }
            pending.append(contentsOf: bytes)
            return processPending(at: moment)
        case .waiting, .writing:
            pending.append(contentsOf: bytes)
            return []
        case .lingering(let deadline, let bytesLeft):
            guard bytes.count <= bytesLeft else { return close() }
            phase = .lingering(deadline: deadline, bytesLeft: bytesLeft - bytes.count)
            return []
        case .closed:
            return []
        }
    }

    /// The peer's FIN was read, behind all its bytes.
    public mutating func inputFinished(at moment: HTTPMoment) -> [Action] {
        inputEnded = true
        switch phase {
        case .idle, .head, .body: return endOfInput(at: moment)
        case .lingering: return close()
        case .waiting: return peerHalfClosed(at: moment)
        case .writing, .closed: return []
        }
    }

    /// A FIN is known to have come, maybe with unread bytes before it. Matters only while a request waits.
    public mutating func peerHalfClosed(at moment: HTTPMoment) -> [Action] {
        if case .waiting(nil) = phase, let current, !current.isProbed {
            phase = .waiting(probeAt: moment.monotonic + limits.halfClosedProbe)
        }
        return []
    }

    /// The peer reset the connection, or a write to it failed.
    public mutating func peerVanished() -> [Action] {
        close()
    }

    /// There is no room for more of the body, which others' bodies take.
    public mutating func refuseBody(at moment: HTTPMoment) -> [Action] {
        guard case .body = phase else { return [] }
        let message = "bodies on their way take \(limits.uploads) bytes, no more are taken at once"
        return refuse(HTTPWireError(status: 429, code: "uploads_full", message: message), at: moment)
    }

    /// The handler's answer to the request it was given.
    public mutating func answered(_ response: HTTPResponse, at moment: HTTPMoment) -> [Action] {
        guard case .waiting = phase, let current else { return [] }
        return respond(response, keepsAlive: current.allowsKeepAlive, at: moment)
    }

    /// The socket took `count` bytes of what was to be written.
    public mutating func wrote(_ count: Int, at moment: HTTPMoment) -> [Action] {
        unwritten = max(0, unwritten - count)
        guard case .writing(let keepsAlive, var progress) = phase else { return [] }
        progress.bytes += count
        phase = .writing(keepsAlive: keepsAlive, progress: progress)
        guard unwritten == 0 else { return [] }
        current = nil
        guard keepsAlive else {
            pending = []
            if inputEnded { return close() }
            phase = .lingering(deadline: moment.monotonic + limits.lingerTime, bytesLeft: limits.lingerBytes)
            return [.finishWriting]
        }
        phase = .idle(deadline: moment.monotonic + (isDraining ? limits.drainIdle : limits.keepAliveIdle))
        // The client was not told of the stop, so its next request has as much time as others have.
        if isDraining { drainEnd = moment.monotonic + limits.drainRequest }
        return processPending(at: moment)
    }

    /// The server stops: no request after the current one, idle connections close soon, a request whose header or body
    /// doesn't end within `HTTPLimits.drainRequest` is refused with 503.
    public mutating func drain(at moment: HTTPMoment) -> [Action] {
        drainEnd = moment.monotonic + limits.drainRequest
        if case .idle(let deadline) = phase {
            phase = .idle(deadline: min(deadline, moment.monotonic + limits.drainIdle))
        }
        return []
    }

    var isDraining: Bool { drainEnd != nil }

    /// Whether the server stops and no request is waited for any longer.
    func isDrained(at now: Duration) -> Bool {
        guard let drainEnd else { return false }
        return now >= drainEnd
    }

    mutating func close() -> [Action] {
        let wasWaiting = isWaiting
        if isClosed { return [] }
        phase = .closed
        (pending, current, unwritten) = ([], nil, 0)
        return wasWaiting ? [.abandon, .close] : [.close]
    }
}
