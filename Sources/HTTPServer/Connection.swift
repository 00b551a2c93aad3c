import Dispatch
import Glibc
import HTTPWire

/// One socket driven by a `ConnectionState`.
///
/// Readable bytes are no longer asked for when they come while nothing may be read, not each time a request is handed
/// over: most clients send nothing before they have their response. From then on each tick looks whether the peer is
/// still there.
///
/// `@unchecked Sendable`: touched on the worker's queue only.
final class Connection: @unchecked Sendable {
    private let descriptor: Int32
    private let worker: Worker
    private let peer: String?
    private var state: ConnectionState
    /// What the worker's poller watches for.
    private var interest: Readiness = .readable
    private var isOpen = true
    private var hasReadEnd = false
    /// Pieces to write and how much of the first is written.
    private var output: [[UInt8]] = []
    private var outputOffset = 0
    /// Of the unfinished body, as `worker.uploads` counts them.
    private var bodyBytes = 0
    /// Of the request whose body is being read or whose response is being made.
    private var exchange: (any HTTPExchange)?
    /// Exchanges so far: tells the current one from those before it.
    private var exchangeCount = 0
    /// The stream that the response's body comes from, and who waits until its last piece has been taken.
    private var stream: ObjectIdentifier?
    private var pieceTaken: (@Sendable (Bool) -> Void)?

    var isBusy: Bool { state.isBusy }

    init(_ descriptor: Int32, worker: Worker) {
        self.descriptor = descriptor
        self.worker = worker
        peer = Sockets.peerName(of: descriptor)
        state = ConnectionState(limits: worker.limits, openedAt: worker.moment.monotonic)
    }

    func start() {
        if !worker.watch(descriptor, for: interest) { disconnect() }
    }

    func ready(for readiness: Readiness) {
        if readiness.contains(.writable) { writable() }
        if isOpen, readiness.contains(.readable) { readable() }
        // While reading is off, no read tells.
        if isOpen, !readiness.isDisjoint(with: .closed), !interest.contains(.readable) { disconnect() }
    }

    func tick(at moment: HTTPMoment) {
        if state.isWaiting, hasReadEnd || !interest.contains(.readable) { lookAtPeer(at: moment) }
        // A busy queue may be late: what came in time is read before the clock is looked at.
        if state.lacksInput(at: moment) { readable() }
        if isOpen { run(state.tick(at: moment)) }
    }

    func drain() {
        run(state.drain(at: worker.moment))
    }

    /// Ends the connection, whatever it is doing.
    func disconnect() {
        run(state.peerDisconnected())
    }

    // Reading.

    private func readable() {
        // A few reads at a time: others on this queue wait meanwhile.
        for _ in 0..<8 {
            guard state.wantsInput, !hasReadEnd else {
                watch(interest.subtracting(.readable))
                if state.isWaiting { lookAtPeer(at: worker.moment) }
                return
            }
            switch Sockets.receive(descriptor, into: &worker.readBuffer) {
            case .moved(0):
                hasReadEnd = true
                run(state.inputFinished(at: worker.moment))
            case .moved(let count):
                run(state.received(worker.readBuffer[..<count], at: worker.moment))
                if count < worker.readBuffer.count { return }
            case .wouldBlock:
                return
            case .failed:
                return disconnect()
            }
        }
    }

    private func lookAtPeer(at moment: HTTPMoment) {
        let peer = Sockets.peerStatus(descriptor)
        if peer.hasClosed { return disconnect() }
        if peer.hasFinished { run(state.peerHalfClosed(at: moment)) }
    }

    private func watch(_ readiness: Readiness) {
        guard isOpen, readiness != interest else { return }
        interest = readiness
        worker.watch(descriptor, nowFor: readiness)
    }

    // Acting.

    /// Carries out `first` and whatever follows from it. A loop, as a run of pipelined requests would recurse deeply.
    private func run(_ first: [ConnectionState.Action]) {
        var actions = first
        var next = 0
        while next < actions.count {
            let action = actions[next]
            next += 1
            var following: [ConnectionState.Action] = []
            switch action {
            case .head(let head): following = state.decide(begin(head), at: worker.moment)
            case .body(let body): run(body)
            case .refuse(let error): following = state.respond(response(to: error), at: worker.moment)
            case .write(let bytes):
                output.append(bytes)
                if output.count == 1 { following = flush() }
            case .streamDrained: reportPiece(isTaken: true)
            case .finishWriting: _ = shutdown(descriptor, Int32(SHUT_WR))
            case .cancel: exchange?.cancel()
            case .close: return tearDown()
            }
            guard !following.isEmpty else { continue }
            // Mostly nothing is left of the list, and none is copied.
            if next == actions.count { (actions, next) = (following, 0) } else { actions += following }
        }
        weighBody()
        if state.wantsInput, !hasReadEnd { watch(interest.union(.readable)) }
    }

    /// Counts what has come of a body, and refuses one that goes over what there is for all.
    private func weighBody() {
        let before = bodyBytes
        bodyBytes = state.bodyBytes
        guard bodyBytes != before, !worker.uploads.add(bodyBytes - before), bodyBytes > before else { return }
        run(state.refuseBody())
    }

    // Exchanges.

    private func begin(_ head: HTTPRequestHead) -> ConnectionState.Decision {
        switch worker.handler.begin(head, peer: peer) {
        case .respond(let response):
            worker.note(response)
            return .respond(response)
        case .collect(let limit, let exchange):
            self.exchange = exchange
            exchangeCount += 1
            return .collect(limit: limit)
        }
    }

    private func run(_ body: [UInt8]) {
        guard let exchange else { return }
        let number = exchangeCount
        let responder = HTTPResponder(connection: self) { delivery in
            self.worker.perform { self.deliver(delivery, ofExchange: number) }
        }
        exchange.run(body: body, responder: responder)
    }

    /// A response that comes after the exchange's end, because its client disconnected, finds another exchange or none.
    private func deliver(_ delivery: HTTPResponder.Delivery, ofExchange number: Int) {
        guard let exchange, number == exchangeCount else { return }
        switch delivery {
        case .response(let response):
            self.exchange = nil
            run(state.respond(response, at: worker.moment))
        case .stream(let response, let stream):
            self.stream = ObjectIdentifier(stream)
            run(state.beginStream(response, at: worker.moment))
        case .nothing:
            self.exchange = nil
            let error = HTTPWireError(status: 500, code: "no_answer", message: "the request was dropped unanswered")
            run(state.respond(exchange.response(to: error), at: worker.moment))
        }
    }

    private func response(to error: HTTPWireError) -> HTTPResponse {
        defer { exchange = nil }
        return exchange?.response(to: error) ?? worker.handler.response(to: error, head: state.requestHead, peer: peer)
    }

    // Writing.

    private func writable() {
        run(flush())
        if output.isEmpty { watch(interest.subtracting(.writable)) }
    }

    /// Writes until the socket is full or nothing is left.
    private func flush() -> [ConnectionState.Action] {
        var actions: [ConnectionState.Action] = []
        while let piece = output.first {
            let rest = piece[outputOffset...]
            switch Sockets.send(descriptor, rest, isMoreComing: output.count > 1) {
            case .moved(let count):
                outputOffset += count
                if outputOffset == piece.count {
                    output.removeFirst()
                    outputOffset = 0
                }
                actions += state.wrote(count, at: worker.moment)
            case .wouldBlock:
                watch(interest.union(.writable))
                return actions
            case .failed:
                return actions + state.peerDisconnected()
            }
        }
        return actions
    }

    // Ending.

    private func tearDown() {
        guard isOpen else { return }
        isOpen = false
        output = []
        exchange = nil
        stream = nil
        reportPiece(isTaken: false)
        weighBody()
        worker.remove(descriptor)
        _ = close(descriptor)
        worker.occupancy.release()
    }
}

// Streams.
extension Connection: StreamConnection {
    func write(_ piece: [UInt8], to stream: ObjectIdentifier, taken: @escaping @Sendable (Bool) -> Void) {
        worker.perform {
            guard self.stream == stream, self.pieceTaken == nil else { return taken(false) }
            guard !piece.isEmpty else { return taken(true) }
            self.pieceTaken = taken
            self.run(self.state.streamed(piece, at: self.worker.moment))
        }
    }

    func finish(_ stream: ObjectIdentifier) {
        worker.perform {
            guard self.stream == stream else { return }
            (self.stream, self.exchange) = (nil, nil)
            self.run(self.state.endStream(at: self.worker.moment))
        }
    }

    func abort(_ stream: ObjectIdentifier) {
        worker.perform { if self.stream == stream { self.disconnect() } }
    }

    private func reportPiece(isTaken: Bool) {
        let taken = pieceTaken
        pieceTaken = nil
        taken?(isTaken)
    }
}
