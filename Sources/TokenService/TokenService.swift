import Batching
import HTTPServer
import HTTPWire
import TokenizerCore

/// Everything between HTTP and the engine.
///
/// A request's way: head -> route -> a place in `Admission` -> body -> preprocessing thread -> engine's thread ->
/// preprocessing thread -> answer. No step waits for a later one.
public final class TokenService: HTTPHandler {
    public static let version = "0.1.0"

    public let configuration: ServiceConfiguration
    public let engine: Engine
    /// Images between arrival and answer.
    public let admission: Admission
    let workers: WorkQueue
    let budget: ByteBudget
    /// Codebooks in the making: one, for each may take gigabytes.
    let codebooks = Admission(capacity: 1)
    let metrics: ServiceMetrics
    private let deadlines: Deadlines
    private let lifecycle = Lifecycle()
    private let routes: RouteTable
    private let crossOrigin: CrossOrigin

    public init(configuration: ServiceConfiguration = ServiceConfiguration()) {
        self.configuration = configuration
        let engine = Engine(maxBatch: configuration.maxBatch, maxDelay: configuration.maxDelay)
        self.engine = engine
        metrics = ServiceMetrics(engine: engine)
        deadlines = Deadlines { engine.sweep() }
        admission = Admission(
            capacity: configuration.limits.queuedImages, longestWait: configuration.longestWait,
            least: configuration.maxBatch)
        workers = WorkQueue(width: configuration.preprocessingWidth)
        budget = ByteBudget(bytes: configuration.limits.decodingBytes)
        crossOrigin = CrossOrigin(configuration.corsOrigins)
        routes = RouteTable(
            routes: EncodeRoute.routes(configuration.limits) + DecodeRoute.routes(configuration.limits)
                + ReconstructRoute.routes(configuration.limits) + ModelsRoute.routes + HealthRoute.routes
                + MetricsRoute.routes + OpenAPIRoute.routes + KServeRoute.routes
                + InferRoute.routes(configuration.limits))
    }

    // MARK: - Stopping

    /// Whether a stop has begun.
    public var isDraining: Bool { lifecycle.phase != .serving }

    /// First step of a stop: no longer ready, so that load balancers look elsewhere; requests are still served.
    public func beginDrain() { lifecycle.advance(to: .leaving) }

    /// Second step, together with the listener's end: new requests get 503. What was accepted goes on.
    public func refuseRequests() { lifecycle.advance(to: .closed) }

    /// Last step: the engine finishes what it has.
    ///
    /// - Parameter completion: once, after `grace` at the latest, with the number of images that weren't finished.
    public func finish(grace: Duration, completion: @escaping @Sendable (_ lost: Int) -> Void) {
        refuseRequests()
        engine.drain(grace: grace, completion: completion)
    }

    // MARK: - HTTPHandler

    public func disposition(of head: HTTPRequestHead) -> HTTPDisposition { disposition(of: head, from: nil) }

    func disposition(of head: HTTPRequestHead, from peer: String?) -> HTTPDisposition {
        let start = ContinuousClock.now
        let id = Responses.requestID(head)
        var path = ServiceMetrics.otherRoute
        var refusal: ServiceError?
        var response: HTTPResponse
        do throws(ServiceError) {
            let disposition = try disposition(of: head, id: id, &path)
            guard case .answer(let answer) = disposition else { return disposition }
            response = answer
        } catch {
            refusal = error
            response = stamped(Responses.error(error, id: id, path: head.path), id: id)
        }
        metrics.answered(path, response.status, since: start, refusal: refusal)
        crossOrigin.stamp(&response, for: head)
        log(AccessLog.Line(id: id, peer: peer, head: head, response, since: start), refusal)
        return .answer(response)
    }

    private func disposition(
        of head: HTTPRequestHead, id: String, _ path: inout String
    ) throws(ServiceError) -> HTTPDisposition {
        if let preflight = crossOrigin.preflight(head) { return .answer(stamped(preflight, id: id)) }
        // Before anything else is told, whether there is such a route included.
        try checkKey(of: head)
        switch try routes.match(head, pattern: &path) {
        case .options(let allow):
            return .answer(stamped(HTTPResponse(status: 204, headers: ["Allow": allow]), id: id))
        case .route(let route, let parameter):
            try checkNeeds(route)
            switch route.action {
            case .immediate(let answer):
                return .answer(stamped(try answer(self, head, parameter).conditional(on: head), id: id))
            case .work(let rule, _):
                let limit = try rule.check(head)
                _ = try timeout(of: head)
                // The cheapest moment to refuse: nothing of the body has been taken.
                guard !admission.isFull else { throw .queueFull(admission) }
                return .collect(limit: limit)
            }
        }
    }

    public func handle(_ request: HTTPRequest, answer: HTTPAnswer) {
        let start = ContinuousClock.now
        let id = Responses.requestID(request.head)
        var path = ServiceMetrics.otherRoute
        do throws(ServiceError) {
            guard case .route(let route, _) = try routes.match(request.head, pattern: &path),
                case .work(_, let work) = route.action
            else { throw ServiceError(404, "not_found", "there is no such route") }
            let deadline = ContinuousClock.now + (try timeout(of: request.head))
            guard let reservation = admission.reserve(1) else { throw .queueFull(admission) }
            let context = RequestContext(
                head: request.head, id: id, deadline: deadline, reservation: reservation, answer: answer,
                deadlines: deadlines, lifecycle: lifecycle, route: path, metrics: metrics,
                bodyBytes: request.body.count, crossOrigin: crossOrigin, log: configuration.accessLog)
            let ticket = context.ticket
            answer.onAbandon { [weak engine, metrics] in
                metrics.abandoned()
                ticket.leave()
                engine?.sweep()
            }
            workers.run { [self] in
                context.attempt { () throws(ServiceError) in try context.checkAlive() }
                if !ticket.isGone { work(self, context, request) }
            }
        } catch {
            metrics.answered(path, error.status, since: start, refusal: error)
            var response = stamped(Responses.error(error, id: id, path: request.head.path), id: id)
            crossOrigin.stamp(&response, for: request.head)
            var line = AccessLog.Line(id: id, peer: answer.peer, head: request.head, response, since: start)
            line.bytesIn = request.body.count
            log(line, error)
            answer.send(response)
        }
    }

    public func response(to error: HTTPWireError) -> HTTPResponse { response(to: error, of: nil, from: nil) }

    /// - Parameter head: of the refused request, where that much of it was good.
    func response(to error: HTTPWireError, of head: HTTPRequestHead?, from peer: String?) -> HTTPResponse {
        let start = ContinuousClock.now
        let id = head.map(Responses.requestID) ?? Responses.newID()
        let refusal = ServiceError(error)
        metrics.refusedOnWire(refusal)
        var response = stamped(Responses.error(refusal, id: id, path: head?.path ?? ""), id: id)
        crossOrigin.stamp(&response, for: head)
        log(AccessLog.Line(id: id, peer: peer, head: head, response, since: start), refusal)
        return response
    }

    public func policy(for peer: String?) -> any HTTPPolicy { PeerPolicy(service: self, peer: peer) }

    public func started(_ server: HTTPServer) {
        metrics.watch(server)
    }

    // MARK: - What routes use

    /// The model that a request names, or the only one.
    func model(_ id: String?) throws(ServiceError) -> Engine.Model {
        let models = engine.models
        let known = models.map(\.id)
        if let id {
            guard let model = models.first(where: { $0.id == id }) else { throw .unknownModel(id, known: known) }
            return model
        }
        guard let only = models.first, models.count == 1 else {
            let names = known.map { "'\($0)'" }.joined(separator: ", ")
            throw ServiceError(
                400, "model_required", "several models are loaded; expected 'model' to be one of \(names)",
                param: "model")
        }
        return only
    }

    private func stamped(_ response: HTTPResponse, id: String) -> HTTPResponse {
        var response = response
        Responses.stamp(&response, id: id, lifecycle.phase)
        return response
    }

    private func log(_ line: AccessLog.Line, _ refusal: ServiceError?) {
        guard let log = configuration.accessLog else { return }
        if !log.includesProbes, let head = line.head, routes.access(to: head.path) == .anyone { return }
        var line = line
        line.code = refusal?.code
        log.write(line)
    }

    private func checkKey(of head: HTTPRequestHead) throws(ServiceError) {
        guard let keys = configuration.keys else { return }
        switch routes.access(to: head.path) {
        case .anyone: return
        case .scrapers where !configuration.metricsNeedKey: return
        case .scrapers, .keyHolders: try keys.check(head.headers)
        }
    }

    private func checkNeeds(_ route: Route) throws(ServiceError) {
        guard route.needs == .models else { return }
        if lifecycle.phase == .closed { throw .draining }
        switch engine.state {
        case .ready: return
        case .loading: throw .loading
        case .failed(let message): throw ServiceError(EngineFailure.failed(message))
        case .draining, .stopped: throw .draining
        }
    }

    /// How long a request may wait: what it asks for, and no longer than the operator lets any.
    ///
    /// - Throws: where `X-Request-Timeout-Ms` isn't a number of milliseconds.
    func timeout(of head: HTTPRequestHead) throws(ServiceError) -> Duration {
        let name = "X-Request-Timeout-Ms"
        guard let text = head.headers.first(name) else { return configuration.requestTimeout }
        let isNumber = !text.isEmpty && text.utf8.count <= 9 && text.utf8.allSatisfy { $0 >= 0x30 && $0 <= 0x39 }
        guard isNumber, let milliseconds = Int(text), milliseconds > 0 else {
            throw ServiceError(
                400, "invalid_timeout",
                "\(name) is '\(shortened(text))', expected an integer in 1...999999999", param: name)
        }
        return min(configuration.requestTimeout, .milliseconds(milliseconds))
    }
}

/// The service's decisions for one connection, whose other end its log names.
private struct PeerPolicy: HTTPPolicy {
    let service: TokenService
    let peer: String?

    func disposition(of head: HTTPRequestHead) -> HTTPDisposition { service.disposition(of: head, from: peer) }

    func response(to error: HTTPWireError) -> HTTPResponse { service.response(to: error, of: nil, from: peer) }

    func response(to error: HTTPWireError, of head: HTTPRequestHead) -> HTTPResponse {
        service.response(to: error, of: head, from: peer)
    }
}
