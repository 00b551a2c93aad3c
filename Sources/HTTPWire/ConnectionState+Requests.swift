// From bytes to requests, and from responses to bytes.
extension ConnectionState {
    mutating func processPending(at moment: HTTPMoment) -> [Action] {
        let bytes = pending
        pending = []
        return process(bytes[...], at: moment)
    }

    /// Parses until more bytes are needed, or there is something for the owner to do.
    mutating func process(_ bytes: ArraySlice<UInt8>, at moment: HTTPMoment) -> [Action] {
        var input = bytes
        while phase.wantsInput {
            switch parser.next(&input) {
            case .needMore:
                if parser.hasBegun, enter(.requestBegun) { deadline = moment.monotonic + limits.headerTime }
                return inputEnded ? endOfInput(at: moment) : []
            case .head(let head):
                guard enter(.headComplete) else { return [] }
                self.head = head
                pending = Array(input)
                return [.head(head)]
            case .body(let data):
                window.bytes += data.count
                if phase == .body { body.append(contentsOf: data) }
            case .end:
                pending = Array(input)
                return finishRequest(at: moment)
            case .failure(let error):
                return refuse(error)
            }
        }
        return []
    }

    /// What to do with the request of the last `.head`.
    public mutating func decide(_ decision: Decision, at moment: HTTPMoment) -> [Action] {
        guard phase == .deciding, let head else { return [] }
        switch decision {
        case .collect(let limit):
            parser.bodyLimit = limit
            guard enter(.bodyWanted) else { return [] }
            body = []
        case .respond(let response):
            // A client that waits for 100 might send its body or not: only closing tells where the next request is.
            guard !head.expectsContinue, isShort(head) else {
                return respond(response, keepsAlive: false, at: moment)
            }
            guard enter(.bodyDiscarded) else { return [] }
            earlyResponse = response
        }
        deadline = moment.monotonic + limits.bodyTime
        window = Window(end: moment.monotonic + limits.bodyWindow)
        var actions: [Action] = []
        if phase == .body, head.expectsContinue, fits(head) { actions = write([Serializer.continueLine]) }
        return actions + processPending(at: moment)
    }

    /// Whether a declared length is within the limit; if not, the parser's next event is 413.
    private func fits(_ head: HTTPRequestHead) -> Bool {
        guard case .length(let length) = head.framing else { return true }
        return length <= min(parser.bodyLimit, limits.body)
    }

    private func isShort(_ head: HTTPRequestHead) -> Bool {
        switch head.framing {
        case .none: return true
        case .length(let length): return length <= limits.refusedBody
        case .chunked: return false
        }
    }

    private mutating func finishRequest(at moment: HTTPMoment) -> [Action] {
        if let earlyResponse { return respond(earlyResponse, keepsAlive: allowsKeepAlive, at: moment) }
        guard enter(.requestComplete) else { return [] }
        (probeAt, isProbed) = (nil, false)
        // Handed over without a copy.
        var whole: [UInt8] = []
        swap(&whole, &body)
        return [.body(whole)] + (inputEnded ? peerHalfClosed(at: moment) : [])
    }

    /// The wire takes no more of this connection.
    mutating func refuse(_ error: HTTPWireError) -> [Action] {
        guard enter(.requestRefused) else { return [] }
        (body, earlyResponse) = ([], nil)
        return [.refuse(error)]
    }

    private var allowsKeepAlive: Bool { head?.allowsKeepAlive ?? false }

    /// The response to the request of the last `.body`, or to the error of the last `.refuse`.
    public mutating func respond(_ response: HTTPResponse, at moment: HTTPMoment) -> [Action] {
        switch phase {
        case .waiting: respond(response, keepsAlive: allowsKeepAlive, at: moment)
        case .refusing: respond(response, keepsAlive: false, at: moment)
        default: []
        }
    }

    private mutating func respond(_ response: HTTPResponse, keepsAlive: Bool, at moment: HTTPMoment) -> [Action] {
        guard enter(.responseGiven) else { return [] }
        begin(response, keepsAlive: keepsAlive, at: moment)
        return write(
            Serializer.pieces(of: response, context: context, keepsAlive: self.keepsAlive, date: moment.date))
    }

    private mutating func begin(_ response: HTTPResponse, keepsAlive: Bool, at moment: HTTPMoment) {
        self.keepsAlive = keepsAlive && !isDraining && !response.headers.list("Connection", contains: "close")
        window = Window(end: moment.monotonic + limits.responseUnread)
    }

    private var context: Serializer.Context {
        Serializer.Context(minorVersion: head?.minorVersion ?? 1, isHead: head?.method == "HEAD")
    }

    mutating func write(_ pieces: [[UInt8]]) -> [Action] {
        unwritten += pieces.reduce(0) { $0 + $1.count }
        return pieces.map(Action.write)
    }

    /// The peer's FIN came where a request was expected or unfinished. The latter gets a response: a client that only
    /// half-closed learns what was wrong.
    mutating func endOfInput(at moment: HTTPMoment) -> [Action] {
        guard parser.hasBegun else { return close() }
        return refuse(.malformed("incomplete_request", "the connection ended inside a request"))
    }
}

// Responses whose bodies come in pieces.
extension ConnectionState {
    /// Begins a response to the request of the last `.body`; its own body is sent first. HTTP/1.1 gets chunks
    /// (RFC 9112 7.1), HTTP/1.0 a body that closing delimits. HEAD gets the header alone.
    public mutating func beginStream(_ response: HTTPResponse, at moment: HTTPMoment) -> [Action] {
        guard let head, enter(.streamBegun) else { return [] }
        isChunked = head.minorVersion >= 1
        begin(response, keepsAlive: isChunked && allowsKeepAlive, at: moment)
        let header = Serializer.streamHeader(
            of: response, context: context, keepsAlive: keepsAlive, isChunked: isChunked, date: moment.date)
        return write([header]) + streamed(response.body, at: moment)
    }

    /// The next piece of the stream. The owner sends another once it has seen `.streamDrained`, which bounds what
    /// waits.
    public mutating func streamed(_ piece: [UInt8], at moment: HTTPMoment) -> [Action] {
        guard phase == .streaming, !piece.isEmpty else { return [] }
        if context.isHead { return unwritten == 0 ? [.streamDrained] : [] }
        if unwritten == 0 { window = Window(end: moment.monotonic + limits.responseUnread) }
        return write(isChunked ? Serializer.chunk(piece) : [piece])
    }

    /// The stream is whole.
    public mutating func endStream(at moment: HTTPMoment) -> [Action] {
        guard enter(.streamEnded) else { return [] }
        if isChunked, !context.isHead { return write([Serializer.lastChunk]) }
        return unwritten == 0 ? wrote(0, at: moment) : []
    }
}
