import Dispatch
import Glibc
import HTTPWire

/// One socket driven by a `ConnectionState`.
///
/// The read source is suspended when it fires while nothing may be read, not each time a request is handed over: most
/// clients send nothing before they have their answer. From then on each tick looks whether the peer is still there.
///
/// `@unchecked Sendable`: touched on the worker's queue only.
final class Connection: @unchecked Sendable {
    private let descriptor: Int32
    private let worker: Worker
    private let peer: String?
    private let policy: any HTTPPolicy
    private var state: ConnectionState
    private var readSource: (any DispatchSourceRead)?
    private var writeSource: (any DispatchSourceWrite)?
    private var isReadSuspended = false
    private var isWriteSuspended = false
    private var hasReadEnd = false
    /// Sources not yet cancelled; the last one's cancel handler closes the descriptor, as dispatch demands.
    private var liveSources = 0
    /// Pieces to write and how much of the first is written.
    private var output: [[UInt8]] = []
    private var outputOffset = 0
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
        let source = DispatchSource.makeReadSource(fileDescriptor: descriptor, queue: worker.queue)
        source.setEventHandler { self.readable() }
        source.setCancelHandler { self.sourceCancelled() }
        liveSources += 1
        readSource = source
        source.activate()
    }

    func tick(at moment: HTTPMoment) {
        if state.isWaiting, isReadSuspended || hasReadEnd { lookAtPeer(at: moment) }
        run(state.tick(at: moment))
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
                suspendReading()
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

    private func suspendReading() {
        guard !isReadSuspended, let readSource else { return }
        isReadSuspended = true
        readSource.suspend()
    }

    private func resumeReading() {
        guard isReadSuspended, let readSource else { return }
        isReadSuspended = false
        readSource.resume()
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
        if state.wantsInput, !hasReadEnd { resumeReading() }
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
        if output.isEmpty, !isWriteSuspended, let writeSource {
            isWriteSuspended = true
            writeSource.suspend()
        }
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
                awaitWritable()
                return actions
            case .failed:
                return actions + state.peerVanished()
            }
        }
        return actions
    }

    private func awaitWritable() {
        if let writeSource {
            guard isWriteSuspended else { return }
            isWriteSuspended = false
            writeSource.resume()
            return
        }
        let source = DispatchSource.makeWriteSource(fileDescriptor: descriptor, queue: worker.queue)
        source.setEventHandler { self.writable() }
        source.setCancelHandler { self.sourceCancelled() }
        liveSources += 1
        writeSource = source
        source.activate()
    }

    // Ending.

    private func tearDown() {
        output = []
        worker.remove(descriptor)
        // A suspended source never gets as far as its cancel handler.
        readSource?.cancel()
        resumeReading()
        writeSource?.cancel()
        if isWriteSuspended { writeSource?.resume() }
        isWriteSuspended = false
        (readSource, writeSource) = (nil, nil)
    }

    private func sourceCancelled() {
        liveSources -= 1
        guard liveSources == 0 else { return }
        _ = close(descriptor)
        worker.occupancy.release()
    }
}
