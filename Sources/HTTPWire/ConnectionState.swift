// Strategy: the life of one connection as a value. The owner of the socket reports what happened and carries out the
// actions it gets back, in order. Nothing here waits, reads a clock, owns a descriptor or knows the routes: what to do
// with a request is asked for with `.head` and told with `decide`, and what the wire refuses is told with `.refuse`, to
// be answered with `respond`. `ConnectionPhase` has the transitions.
//
// Invariants:
// - One request at a time: the next is not parsed before the last byte of the response has been written, so responses
//   come in order and a client that doesn't read them isn't read from.
// - After `.head` the next call is `decide`, after `.refuse` it is `respond`; both are the last of their list.
// - After `.close` every input returns no action.
// - Once a response with `Connection: close` is on its way no further request is parsed.
//
// A client that closes while its request waits: a FIN may mean that it closed or that it only said all it has to say
// (`shutdown(SHUT_WR)`), and TCP doesn't tell which. RST, or POLLERR or POLLHUP without our own FIN, means closed. So
// after a FIN the request waits on, and `halfClosedProbe` later an HTTP/1.1 client is sent `100 Continue`, which every
// client must be able to ignore (RFC 9110 15.2): the kernel of one that closed answers it with RST, and the next look
// at the socket sees that. An HTTP/1.0 client can't be probed; its response is made and thrown away.

/// One connection from accept to close: bytes, times and responses in, actions out.
public struct ConnectionState: Sendable {
    public enum Action: Sendable, Equatable {
        /// The head of a request is whole: call `decide`.
        case head(HTTPRequestHead)
        /// The body of the accepted request is whole: call `respond` or `beginStream`, now or later.
        case body([UInt8])
        /// The wire refuses what came: call `respond` with the response to it.
        case refuse(HTTPWireError)
        /// Write these bytes behind all others; report what was taken with `wrote`.
        case write([UInt8])
        /// All of a stream so far has been taken by the socket.
        case streamDrained
        /// Send FIN (`shutdown(SHUT_WR)`) and go on reading.
        case finishWriting
        /// The client has disconnected before its response was whole.
        case cancel
        /// Release the socket; nothing more is written.
        case close
    }

    /// What to do with a request whose head is known.
    public enum Decision: Sendable {
        /// Take the body, up to `limit` bytes (never more than `HTTPLimits.body`); 413 beyond.
        case collect(limit: Int)
        /// Respond without the body.
        case respond(HTTPResponse)
    }

    /// A span of time and the bytes that came or went in it.
    struct Window: Sendable {
        var end: Duration
        var bytes = 0
    }

    let limits: HTTPLimits
    private(set) var phase = ConnectionPhase.idle
    var parser: RequestParser
    /// Bytes behind the current request; at most what one `received` brought.
    var pending: [UInt8] = []

    /// The head of the current request, while one is known.
    var head: HTTPRequestHead?
    /// Its body, as far as it has come. It grows with what has come, never to what was announced.
    var body: [UInt8] = []
    /// While discarding: the response to give then.
    var earlyResponse: HTTPResponse?

    /// When the phase is over, where it is bounded as a whole: idle, head, body, discarding, lingering.
    var deadline: Duration
    /// What a body or a response must achieve by when: body, discarding, streaming, writing.
    var window = Window(end: .zero)
    /// While waiting: when to find out whether the client that sent FIN is still there.
    var probeAt: Duration?
    var isProbed = false
    /// Whether the connection is kept after the response that is being written.
    var keepsAlive = false
    /// Whether a stream's pieces go as chunks; HTTP/1.0 has none: closing ends the body.
    var isChunked = false
    var unwritten = 0
    /// While lingering.
    var bytesToDiscard = 0
    var inputEnded = false
    /// Once the server stops: when a request that hasn't come to its end is refused.
    var drainEnd: Duration?

    /// - Parameter openedAt: on the clock of all later moments.
    public init(limits: HTTPLimits, openedAt: Duration) {
        self.limits = limits
        parser = RequestParser(limits: limits)
        deadline = openedAt + limits.freshSilence
    }

    /// Whether bytes should be read from the peer now.
    public var wantsInput: Bool { phase.wantsInput }

    /// Whether a response is being made; time to look whether the peer is still there.
    public var isWaiting: Bool { phase == .waiting || phase == .streaming }

    /// Whether a request has been accepted and its response is not written yet.
    public var isBusy: Bool { phase.isBusy }

    /// The head of the request at hand, while one is known.
    public var requestHead: HTTPRequestHead? { head }

    public var isClosed: Bool { phase == .closed }

    /// Bytes of a body that hasn't come to its end.
    public var bodyBytes: Int { phase == .body ? body.count : 0 }

    /// - Returns: whether `event` has a meaning now; the phase is the one after it.
    mutating func enter(_ event: ConnectionPhase.Event) -> Bool {
        guard let next = phase.after(event) else { return false }
        phase = next
        return true
    }

    /// Bytes came.
    public mutating func received(_ bytes: ArraySlice<UInt8>, at moment: HTTPMoment) -> [Action] {
        switch phase {
        case .idle, .head, .body, .discarding:
            guard !pending.isEmpty else { return process(bytes, at: moment) }
            pending.append(contentsOf: bytes)
            return processPending(at: moment)
        case .deciding, .waiting, .refusing, .streaming, .writing:
            pending.append(contentsOf: bytes)
            return []
        case .lingering:
            guard bytes.count <= bytesToDiscard else { return close() }
            bytesToDiscard -= bytes.count
            return []
        case .closed:
            return []
        }
    }

    /// The peer's FIN was read, behind all its bytes.
    public mutating func inputFinished(at moment: HTTPMoment) -> [Action] {
        inputEnded = true
        switch phase {
        case .idle, .head, .body, .discarding: return endOfInput(at: moment)
        case .lingering: return close()
        case .waiting: return peerHalfClosed(at: moment)
        case .deciding, .refusing, .streaming, .writing, .closed: return []
        }
    }

    /// A FIN is known to have come, maybe with unread bytes before it. Matters only while a request waits.
    public mutating func peerHalfClosed(at moment: HTTPMoment) -> [Action] {
        if phase == .waiting, probeAt == nil, !isProbed { probeAt = moment.monotonic + limits.halfClosedProbe }
        return []
    }

    /// The peer reset the connection, or a write to it failed.
    public mutating func peerDisconnected() -> [Action] { close() }

    /// There is no room for more of the body, which others' bodies take.
    public mutating func refuseBody() -> [Action] {
        guard phase == .body else { return [] }
        let message = "bodies on their way take \(limits.uploads) bytes, no more are taken at once"
        return refuse(HTTPWireError(status: 429, code: "uploads_full", message: message))
    }

    /// The socket took `count` bytes of what was to be written.
    public mutating func wrote(_ count: Int, at moment: HTTPMoment) -> [Action] {
        unwritten = max(0, unwritten - count)
        guard phase == .streaming || phase == .writing else { return [] }
        window.bytes += count
        guard unwritten == 0 else { return [] }
        if phase == .streaming { return [.streamDrained] }
        guard enter(.responseWritten(keepsAlive: keepsAlive)) else { return [] }
        (head, earlyResponse) = (nil, nil)
        guard keepsAlive else {
            pending = []
            if inputEnded { return close() }
            (deadline, bytesToDiscard) = (moment.monotonic + limits.lingerTime, limits.lingerBytes)
            return [.finishWriting]
        }
        deadline = moment.monotonic + (isDraining ? limits.drainIdle : limits.keepAliveIdle)
        // The client was not told of the stop, so its next request has as much time as others have.
        if isDraining { drainEnd = moment.monotonic + limits.drainRequest }
        return processPending(at: moment)
    }

    /// The server stops: no request after the current one, idle connections close soon, a request whose header or body
    /// doesn't end within `HTTPLimits.drainRequest` is refused with 503.
    public mutating func drain(at moment: HTTPMoment) -> [Action] {
        drainEnd = moment.monotonic + limits.drainRequest
        if phase == .idle { deadline = min(deadline, moment.monotonic + limits.drainIdle) }
        return []
    }

    var isDraining: Bool { drainEnd != nil }

    mutating func close() -> [Action] {
        let isUnanswered = isWaiting
        guard enter(.ended) else { return [] }
        (pending, body, head, earlyResponse, unwritten) = ([], [], nil, nil, 0)
        return isUnanswered ? [.cancel, .close] : [.close]
    }
}
