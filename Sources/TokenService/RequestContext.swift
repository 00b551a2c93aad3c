import Batching
import HTTPServer
import HTTPWire
import Synchronization
import TokenizerCore

/// Where a request's time went; of several images the longest wait and the sums of the rest.
struct Timings: Sendable {
    var queue = Duration.zero
    var preprocess = Duration.zero
    var inference = Duration.zero
    var postprocess = Duration.zero

    /// The value of `Server-Timing`, in milliseconds.
    var field: String {
        [("queue", queue), ("preprocess", preprocess), ("inference", inference), ("postprocess", postprocess)]
            .map { "\($0);dur=\(Self.milliseconds($1))" }.joined(separator: ", ")
    }

    static func milliseconds(_ duration: Duration) -> Double {
        (duration / .microseconds(1)).rounded() / 1000
    }
}

/// A request that has been taken in, until it is answered: its name, its places, its deadline, its answer.
final class RequestContext: Sendable {
    private struct State {
        var timings = Timings()
        var contract: String?
        var model: String?
        var images = 0
        var isAnswered = false
    }

    let id: String
    let head: HTTPRequestHead
    /// When it was whole.
    private let arrival = ContinuousClock.now
    let deadline: ContinuousClock.Instant
    /// Gone when the client is, or when there is an answer.
    let ticket = Ticket()
    private let reservation: Reservation
    private let answer: HTTPAnswer
    private let deadlines: Deadlines
    private let lifecycle: Lifecycle
    private let route: String
    private let metrics: ServiceMetrics
    private let bodyBytes: Int
    private let crossOrigin: CrossOrigin
    private let log: AccessLog?
    private let state = Mutex(State())

    /// - Parameter route: its label in metrics.
    init(
        head: HTTPRequestHead, id: String, deadline: ContinuousClock.Instant, reservation: Reservation,
        answer: HTTPAnswer, deadlines: Deadlines, lifecycle: Lifecycle, route: String, metrics: ServiceMetrics,
        bodyBytes: Int,
        crossOrigin: CrossOrigin, log: AccessLog?
    ) {
        self.head = head
        self.id = id
        self.deadline = deadline
        self.reservation = reservation
        self.answer = answer
        self.deadlines = deadlines
        self.lifecycle = lifecycle
        self.route = route
        self.metrics = metrics
        self.bodyBytes = bodyBytes
        self.crossOrigin = crossOrigin
        self.log = log
        deadlines.watch(self)
    }

    deinit { deadlines.forget(self) }

    /// - Throws: where nobody waits for the work any more, or its time was over before any of it had begun to run.
    func checkAlive() throws(ServiceError) {
        if ticket.isGone { throw ServiceError(EngineFailure.departed) }
        if deadline <= .now, !ticket.hasBegun { throw .expired }
    }

    /// Takes places for all of its images.
    func admit(_ images: Int, of kind: WorkKind, _ admission: Admission) throws(ServiceError) {
        guard reservation.grow(to: images, of: kind) else { throw .queueFull(admission) }
    }

    /// Names the contract in every answer from here on.
    func use(_ contract: TokenContract) {
        state.withLock { $0.contract = contract.fingerprint }
    }

    /// One more image, or a codebook, of a model is the engine's.
    func submitted(to model: String) {
        state.withLock { state in
            state.model = model
            state.images += 1
        }
    }

    /// One image's work is done, or won't be.
    func finishedOne() { reservation.finishOne() }

    func record(_ body: (inout Timings) -> Void) {
        state.withLock { body(&$0.timings) }
    }

    /// Runs `body` and adds its time to a stage.
    func timed<R>(
        _ stage: WritableKeyPath<Timings, Duration>, _ body: () throws(ServiceError) -> R
    ) throws(ServiceError) -> R {
        let start = ContinuousClock.now
        defer {
            let span = ContinuousClock.now - start
            state.withLock { $0.timings[keyPath: stage] += span }
        }
        return try body()
    }

    func send(_ response: HTTPResponse) {
        send(response, refusal: nil)
    }

    /// Sends a JSON body that lists items, each with its own error if it has one.
    func send(list body: [UInt8], _ outcome: ListOutcome) {
        var response = Responses.ok(MediaType.json, body)
        response.status = outcome.status
        send(response, refusal: nil, code: outcome.code)
    }

    func fail(_ error: ServiceError) {
        send(Responses.error(error, id: id, path: head.path), refusal: error)
    }

    /// - Parameter code: what the log tells where there is no refusal.
    private func send(_ response: HTTPResponse, refusal: ServiceError?, code: String? = nil) {
        var response = response
        let before = state.withLock { state in
            defer { state.isAnswered = true }
            return state
        }
        guard !before.isAnswered else { return }
        let timings = before.timings
        if let contract = before.contract { response.headers.set("X-Tessera-Contract", contract) }
        Responses.stamp(&response, id: id, lifecycle.phase, timings)
        crossOrigin.stamp(&response, for: head)
        ticket.leave()
        let status = answer.isAbandoned ? ServiceError(EngineFailure.departed).status : response.status
        // First: whoever has the answer finds the request counted and its place free.
        metrics.answered(route, status, since: arrival, refusal: refusal, timings)
        reservation.release()
        if let log {
            var line = AccessLog.Line(id: id, peer: answer.peer, head: head, response, since: arrival)
            (line.status, line.bytesOut) = (status, answer.isAbandoned ? 0 : line.bytesOut)
            line.code = refusal?.code ?? code
            line.bytesIn = bodyBytes
            line.work = before.model.map { .init(model: $0, images: before.images, timings: timings) }
            log.write(line)
        }
        answer.send(response)
    }

    /// Runs `body`; what it throws is the answer.
    func attempt(_ body: () throws(ServiceError) -> Void) {
        do throws(ServiceError) {
            try body()
        } catch {
            fail(error)
        }
    }
}
