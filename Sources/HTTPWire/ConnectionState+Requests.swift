/// A body on its way.
struct BodyProgress: Sendable {
    var bytes: [UInt8] = []
    /// Given once the body has been read to its end, in place of a handler's answer.
    var refusal: HTTPResponse?
    let deadline: Duration
    var windowEnd: Duration
    var windowBytes = 0
}

/// An answer on its way.
struct WriteProgress: Sendable {
    var windowEnd: Duration
    var bytes = 0
}

/// What is kept of a request's head until it is answered.
struct CurrentRequest: Sendable {
    let head: HTTPRequestHead
    var allowsKeepAlive: Bool
    var isProbed = false
}

// From bytes to requests to answers.
extension ConnectionState {
    mutating func processPending(at moment: HTTPMoment) -> [Action] {
        let bytes = pending
        pending = []
        return process(bytes[...], at: moment)
    }

    /// Parses until more bytes are needed or a request is whole or refused.
    mutating func process(_ bytes: ArraySlice<UInt8>, at moment: HTTPMoment) -> [Action] {
        var input = bytes
        var actions: [Action] = []
        while wantsInput {
            switch parser.next(&input) {
            case .needMore:
                if case .idle = phase, parser.hasBegun {
                    phase = .head(deadline: moment.monotonic + limits.headerTime)
                }
                return actions + (inputEnded ? endOfInput(at: moment) : [])
            case .head(let head):
                actions += begin(head, at: moment)
            case .body(let data):
                take(data)
            case .end:
                actions += finishRequest(at: moment)
                pending = Array(input)
            case .failure(let error):
                actions += refuse(error, at: moment)
            }
        }
        return actions
    }

    private mutating func begin(_ head: HTTPRequestHead, at moment: HTTPMoment) -> [Action] {
        current = CurrentRequest(head: head, allowsKeepAlive: head.allowsKeepAlive)
        var progress = BodyProgress(
            deadline: moment.monotonic + limits.bodyTime, windowEnd: moment.monotonic + limits.bodyWindow)
        switch policy.disposition(of: head) {
        case .collect(let limit):
            parser.bodyLimit = limit
            phase = .body(progress)
            guard head.expectsContinue, fits(head, limit: limit) else { return [] }
            return write([Serializer.continueLine])
        case .answer(let response):
            // A client that waits for 100 might send its body or not: only closing tells where the next request is.
            guard !head.expectsContinue, isShort(head) else {
                return respond(response, keepsAlive: false, at: moment)
            }
            progress.refusal = response
            phase = .body(progress)
            return []
        }
    }

    /// Whether a declared length is within the limit; if not, the parser's next event is 413.
    private func fits(_ head: HTTPRequestHead, limit: Int) -> Bool {
        guard case .length(let length) = head.framing else { return true }
        return length <= min(limit, limits.body)
    }

    private func isShort(_ head: HTTPRequestHead) -> Bool {
        switch head.framing {
        case .none: return true
        case .length(let length): return length <= limits.refusedBody
        case .chunked: return false
        }
    }

    /// The body's memory grows with what has come, never to what was announced.
    private mutating func take(_ data: ArraySlice<UInt8>) {
        guard case .body(var progress) = phase else { return }
        // The phase gives its buffer up while `progress` appends to it, or each append would copy the body.
        phase = .closed
        progress.windowBytes += data.count
        if progress.refusal == nil { progress.bytes.append(contentsOf: data) }
        phase = .body(progress)
    }

    private mutating func finishRequest(at moment: HTTPMoment) -> [Action] {
        guard case .body(let progress) = phase, let current else { return [] }
        if let refusal = progress.refusal {
            return respond(refusal, keepsAlive: current.allowsKeepAlive, at: moment)
        }
        phase = .waiting(probeAt: nil)
        return [.handle(HTTPRequest(head: current.head, body: progress.bytes))]
            + (inputEnded ? peerHalfClosed(at: moment) : [])
    }

    /// Answers for the wire and closes.
    mutating func refuse(_ error: HTTPWireError, at moment: HTTPMoment) -> [Action] {
        let response = current.map { policy.response(to: error, of: $0.head) } ?? policy.response(to: error)
        return respond(response, keepsAlive: false, at: moment)
    }

    mutating func respond(_ response: HTTPResponse, keepsAlive: Bool, at moment: HTTPMoment) -> [Action] {
        let keepsAlive = keepsAlive && !isDraining && !response.headers.list("Connection").contains("close")
        let context = Serializer.Context(
            minorVersion: current?.head.minorVersion ?? 1, isHead: current?.head.method == "HEAD")
        phase = .writing(
            keepsAlive: keepsAlive, progress: WriteProgress(windowEnd: moment.monotonic + limits.answerUnread))
        return write(
            Serializer.pieces(of: response, context: context, keepsAlive: keepsAlive, date: moment.date))
    }

    private mutating func write(_ pieces: [[UInt8]]) -> [Action] {
        unwritten += pieces.reduce(0) { $0 + $1.count }
        return pieces.map(Action.write)
    }

    /// The peer's FIN came where a request was expected or unfinished. The latter is answered: a client that only
    /// half-closed learns what was wrong.
    mutating func endOfInput(at moment: HTTPMoment) -> [Action] {
        guard parser.hasBegun else { return close() }
        return refuse(.malformed("incomplete_request", "the connection ended inside a request"), at: moment)
    }
}

// Time.
extension ConnectionState {
    /// Time has passed. A call every quarter of a second is often enough.
    public mutating func tick(at moment: HTTPMoment) -> [Action] {
        let now = moment.monotonic
        switch phase {
        case .idle(let deadline), .lingering(let deadline, _):
            return now >= deadline ? close() : []
        case .head(let deadline):
            if now >= deadline {
                return refuse(.tooSlow("the header did not end within \(limits.headerTime)"), at: moment)
            }
            return isDrained(at: now) ? refuse(.stopping("header", limits), at: moment) : []
        case .body(let progress):
            return tick(progress, at: moment)
        case .waiting(let probeAt):
            guard let probeAt, now >= probeAt else { return [] }
            phase = .waiting(probeAt: nil)
            guard let current, !current.isProbed, current.head.minorVersion >= 1 else { return [] }
            self.current?.isProbed = true
            return write([Serializer.continueLine])
        case .writing(let keepsAlive, var progress):
            guard now >= progress.windowEnd else { return [] }
            guard progress.bytes >= leastBytes(in: limits.answerUnread) else { return close() }
            progress = WriteProgress(windowEnd: now + limits.answerUnread)
            phase = .writing(keepsAlive: keepsAlive, progress: progress)
            return []
        case .closed:
            return []
        }
    }

    private mutating func tick(_ progress: BodyProgress, at moment: HTTPMoment) -> [Action] {
        if moment.monotonic >= progress.deadline {
            return refuse(.tooSlow("the body did not end within \(limits.bodyTime)"), at: moment)
        }
        if isDrained(at: moment.monotonic) { return refuse(.stopping("body", limits), at: moment) }
        guard moment.monotonic >= progress.windowEnd else { return [] }
        guard progress.windowBytes >= leastBytes(in: limits.bodyWindow) else {
            let rate = "\(limits.bodyRate) bytes per second over \(limits.bodyWindow)"
            return refuse(.tooSlow("the body came slower than \(rate)"), at: moment)
        }
        var next = progress
        next.windowEnd = moment.monotonic + limits.bodyWindow
        next.windowBytes = 0
        phase = .body(next)
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
