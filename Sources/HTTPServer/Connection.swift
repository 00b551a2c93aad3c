import Dispatch
import Glibc
import HTTPWire

/// One socket driven by a `ConnectionState`.
///
/// Readable bytes are no longer asked for when they come while nothing may be read, not each time a request is handed
/// over: most clients send nothing before they have their answer. From then on each tick looks whether the peer is still
/// there.
///
/// `@unchecked Sendable`: touched on the worker's queue only.
final class Connection: @unchecked Sendable {
    private let descriptor: Int32
    private let worker: Worker
    private let peer: String?
    private let policy: any HTTPPolicy
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
    private weak var answer: HTTPAnswer?

    var isBusy: Bool { state.isBusy }

    init(_ descriptor: Int32, worker: Worker) {
        self.descriptor = descriptor
        self.worker = worker
        let peer = Sockets.peerName(of: descriptor)
        let policy = worker.handler.policy(for: peer)
        (self.peer, self.policy) = (peer, policy)
        state = ConnectionState(
            limits: worker.limits, policy: policy, openedAt: worker.moment().monotonic)
    }

    func start() {
        if !worker.watch(descriptor, for: interest) { vanish() }
    }

    func ready(for readiness: Readiness) {
        if readiness.contains(.writable) { writable() }
        if isOpen, readiness.contains(.readable) { readable() }
        // While reading is off, no read tells.
        if isOpen, !readiness.isDisjoint(with: .gone), !interest.contains(.readable) { vanish() }
    }

    func tick(at moment: HTTPMoment) {
        if state.isWaiting, hasReadEnd || !interest.contains(.readable) { lookAtPeer(at: moment) }
        // A busy queue may be late: what came in time is read before the clock is looked at.
        if state.lacksInput(at: moment) { readable() }
        if isOpen { run(state.tick(at: moment)) }
    }

    func drain() {
        run(state.drain(at: worker.moment()))
    }

    /// Ends the connection, whatever it is doing.
    func vanish() {
        run(state.peerVanished())
    }

    private func answered(_ response: HTTPResponse?, to head: HTTPRequestHead) {
        let unanswered = HTTPWireError(status: 500, code: "no_answer", message: "the request was dropped unanswered")
        run(state.answered(response ?? policy.response(to: unanswered, of: head), at: worker.moment()))
    }

    // Reading.

    private func readable() {
        // A few reads at a time: others on this queue wait meanwhile.
        for _ in 0..<8 {
            guard state.wantsInput, !hasReadEnd else {
                watch(interest.subtracting(.readable))
                if state.isWaiting { lookAtPeer(at: worker.moment()) }
                return
            }
            switch Sockets.receive(descriptor, into: &worker.readBuffer) {
            case .moved(0):
                hasReadEnd = true
                run(state.inputFinished(at: worker.moment()))
            case .moved(let count):
                run(state.received(worker.readBuffer[..<count], at: worker.moment()))
                if count < worker.readBuffer.count { return }
            case .wouldBlock:
                return
            case .failed:
                return vanish()
            }
        }
    }

    private func lookAtPeer(at moment: HTTPMoment) {
        let peer = Sockets.peerStatus(descriptor)
        if peer.hasGone { return vanish() }
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
            switch action {
            case .handle(let request): handle(request)
            case .write(let bytes):
                output.append(bytes)
                if output.count == 1 { actions += flush() }
            case .finishWriting: _ = shutdown(descriptor, Int32(SHUT_WR))
            case .abandon: answer?.abandon()
            case .close: return tearDown()
            }
        }
        weighBody()
        if state.wantsInput, !hasReadEnd { watch(interest.union(.readable)) }
    }

    /// Counts what has come of a body, and refuses one that goes over what there is for all.
    private func weighBody() {
        let before = bodyBytes
        bodyBytes = state.bodyBytes
        guard bodyBytes != before, !worker.uploads.add(bodyBytes - before), bodyBytes > before else { return }
        run(state.refuseBody(at: worker.moment()))
    }

    private func handle(_ request: HTTPRequest) {
        let head = request.head
        let answer = HTTPAnswer(peer: peer) { response in
            self.worker.queue.async { self.answered(response, to: head) }
        }
        self.answer = answer
        worker.handler.handle(request, answer: answer)
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
                actions += state.wrote(count, at: worker.moment())
            case .wouldBlock:
                watch(interest.union(.writable))
                return actions
            case .failed:
                return actions + state.peerVanished()
            }
        }
        return actions
    }

    // Ending.

    private func tearDown() {
        guard isOpen else { return }
        isOpen = false
        output = []
        weighBody()
        worker.remove(descriptor)
        _ = close(descriptor)
        worker.occupancy.release()
    }
}
