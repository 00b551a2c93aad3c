import Batching
import HTTPServer
import HTTPWire
import Synchronization
import TokenizerCore

/// One request, from its head to its response: its name, its route, its deadline, its places in the queue, its times,
/// and the one way out.
final class Exchange: HTTPExchange {
    private struct State {
        var start = ContinuousClock.now
        /// When its work must have begun; known once the request is whole.
        var deadline = ContinuousClock.now
        var timings = Timings()
        var contract: String?
        var model: String?
        /// What the log tells of a list in which all images failed.
        var code: String?
        /// Images, or a codebook, that became the engine's.
        var images = 0
        var bodyBytes = 0
        var reservation: Reservation?
        var responder: HTTPResponder?
        var isWatched = false
        var isDisconnected = false
        var isFinished = false
    }

    let service: TokenService
    let head: HTTPRequestHead
    let id: String
    let peer: String?
    /// What the table has for it.
    private let lookup: RouteTable.Lookup
    /// Cancelled when the client has disconnected, or the response is made.
    let cancellation = Cancellation()
    private let state = Mutex(State())

    init(_ service: TokenService, _ head: HTTPRequestHead, peer: String?) {
        self.service = service
        self.head = head
        self.peer = peer
        id = Responses.requestID(head)
        lookup = service.routes.lookUp(head)
    }

    /// What stands at `{name}` of the route's path.
    func parameter(_ name: String) -> String { lookup.parameters[name] ?? "" }

    // MARK: - HTTPExchange

    /// Decides by the head alone.
    func begin() -> HTTPDecision {
        do throws(ServiceError) {
            switch try disposition() {
            case .collect(let limit): return .collect(limit: limit, self)
            case .respond(let response): return .respond(finish(response))
            }
        } catch {
            return .respond(finish(error))
        }
    }

    private enum Disposition {
        case collect(limit: Int)
        case respond(HTTPResponse)
    }

    private func disposition() throws(ServiceError) -> Disposition {
        if let preflight = service.crossOrigin.preflight(head) { return .respond(preflight) }
        // Before anything else is told, whether there is such a route included.
        try service.checkKey(of: head, for: lookup.access)
        switch lookup.match {
        case .refusal(let error): throw error
        case .options(let allow): return .respond(HTTPResponse(status: 204, headers: ["Allow": allow]))
        case .route(let route):
            try service.checkNeeds(of: route)
            switch route.action {
            case .immediate(let respond): return .respond(try respond(self).conditional(on: head))
            case .work(let rule, _):
                let limit = try rule.check(head)
                _ = try service.timeout(of: head)
                // The cheapest moment to refuse: nothing of the body has been taken.
                guard !service.admission.isFull else { throw .queueFull(service.admission) }
                return .collect(limit: limit)
            }
        }
    }

    func run(body: [UInt8], responder: HTTPResponder) {
        state.withLock { ($0.start, $0.bodyBytes, $0.responder) = (.now, body.count, responder) }
        do throws(ServiceError) {
            guard case .route(let route) = lookup.match, case .work(let rule, let respond) = route.action
            else {
                throw ServiceError(500, "internal", "a body was read for a route that takes none")
            }
            try enterQueue(timeout: try service.timeout(of: head))
            let request = WorkRequest(body: body, rule: rule)
            Task(executorPreference: service.workers) { await self.work(request, respond) }
        } catch {
            send(finish(error))
        }
    }

    /// Takes the first place in the queue; from here on the deadline may end the request.
    func enterQueue(timeout: Duration) throws(ServiceError) {
        guard let reservation = service.admission.reserve(1) else { throw .queueFull(service.admission) }
        let deadline = state.withLock { state in
            state.deadline = .now + timeout
            (state.reservation, state.isWatched) = (reservation, true)
            return state.deadline
        }
        service.deadlines.watch(self, until: deadline)
    }

    private func work(_ request: WorkRequest, _ respond: Route.Work) async {
        await service.workers.turn()
        do throws(ServiceError) {
            try checkAlive()
            send(finish(try await respond(self, request)))
        } catch {
            send(finish(error))
        }
    }

    func response(to error: HTTPWireError) -> HTTPResponse { finish(ServiceError(error), isOfWire: true) }

    func cancel() {
        state.withLock { $0.isDisconnected = true }
        service.metrics.requestCancelled()
        cancellation.cancel()
        service.engine.sweep()
    }

    /// The deadline has passed before any of the work began.
    func expire() { send(finish(.expired)) }

    // MARK: - The one way out

    private func finish(_ error: ServiceError, isOfWire: Bool = false) -> HTTPResponse {
        finish(Responses.error(error, id: id, path: head.path), refusal: error, isOfWire: isOfWire)
    }

    /// Every response passes here once: its fields, its counts, its line in the log; places are given back.
    private func finish(
        _ response: HTTPResponse, refusal: ServiceError? = nil, isOfWire: Bool = false
    ) -> HTTPResponse {
        let before = state.withLock { state in
            defer {
                state.isFinished = true
                state.reservation = nil
            }
            return state
        }
        guard !before.isFinished else { return response }
        // Jobs that have not begun are dropped.
        cancellation.cancel()
        if before.isWatched { service.deadlines.forget(self) }
        var response = response
        if let contract = before.contract { response.headers.set("X-Tessera-Contract", contract) }
        let record = ResponseRecord(
            id: id, head: head, peer: peer, path: lookup.path,
            start: isOfWire ? .now : before.start, timings: before.timings,
            work: before.model.map { .init(model: $0, images: before.images, timings: before.timings) },
            bytesIn: before.bodyBytes, refusal: refusal, code: refusal?.code ?? before.code, isOfWire: isOfWire,
            isDisconnected: before.isDisconnected)
        return service.finish(response, record) { before.reservation?.release() }
    }

    private func send(_ response: HTTPResponse) {
        let responder = state.withLock { state in
            defer { state.responder = nil }
            return state.responder
        }
        responder?.send(response)
    }

    // MARK: - For the work

    /// - Throws: where the result is not wanted any more, or the deadline passed before any work began to run.
    func checkAlive() throws(ServiceError) {
        let deadline = state.withLock { $0.deadline }
        if cancellation.isCancelled { throw ServiceError(EngineFailure.cancelled) }
        if deadline <= .now, !cancellation.hasBegun { throw .expired }
    }

    /// Takes places for all of its images.
    func admit(_ images: Int, of kind: WorkKind) throws(ServiceError) {
        let reservation = state.withLock { $0.reservation }
        guard let reservation, reservation.grow(to: images, of: kind) else { throw .queueFull(service.admission) }
    }

    /// Names the contract in the response.
    func use(_ contract: TokenContract) {
        state.withLock { $0.contract = contract.fingerprint }
    }

    /// The response to a request for JSON: a list of items, each with its own error if it has one.
    func list(_ body: [UInt8], _ outcome: ListOutcome) -> HTTPResponse {
        state.withLock { $0.code = outcome.code }
        var response = Responses.ok(MediaType.json, body)
        response.status = outcome.status
        return response
    }

    /// One image's work is done, or won't be.
    func finishedOne() { state.withLock { $0.reservation }?.finishOne() }

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

    /// Has the engine compute something with a model, and notes the times. Throws where that fails or is not wanted.
    ///
    /// - Parameters:
    ///   - kind: of an image's work; `nil`: it is no image's.
    ///   - compute: on a thread of the engine's.
    func compute<Output: Sendable>(
        _ kind: WorkKind?, on model: Engine.Model,
        _ compute: @escaping @Sendable (any Tokenizer) throws(TokenizerError) -> Output
    ) async throws(ServiceError) -> Output {
        let deadline = state.withLock { state in
            state.model = model.id
            state.images += 1
            return state.deadline
        }
        let result = await withCheckedContinuation { continuation in
            service.engine.submit(
                Job(model: model, deadline: deadline, cancellation: cancellation, compute: compute) { outcome in
                    self.note(outcome, kind, model)
                    continuation.resume(returning: outcome.result)
                })
        }
        return try result.mapError { ServiceError($0) }.get()
    }

    private func note<Output>(_ outcome: Job.Outcome<Output>, _ kind: WorkKind?, _ model: Engine.Model) {
        service.metrics.ended(kind?.operation, on: model, outcome)
        finishedOne()
        if let kind, outcome.pace > .zero { service.admission.observe(outcome.pace, of: kind) }
        state.withLock { state in
            state.timings.queue = max(state.timings.queue, outcome.queued)
            state.timings.inference += outcome.inference
        }
    }
}

/// What a route that works is given: the body of a whole request.
struct WorkRequest: Sendable {
    let body: [UInt8]
    /// Its route's.
    let rule: BodyRule
}
