import Batching
import HTTPServer
import HTTPWire
import ImageInput
import TokenFormats
import TokenizerCore

/// Everything between HTTP and the engine.
///
/// A request's way is an `Exchange`: head -> route -> body -> a place in `Admission` -> the route's function on a
/// preprocessing thread, which waits for the engine's thread -> response.
public final class TokenService: HTTPHandler {
    /// Repeated in openapi.yaml, deploy/kubernetes and CHANGELOG.md; a test compares them.
    public static let version = "0.2.0"

    public let configuration: ServiceConfiguration
    public let engine: Engine
    /// Images between arrival and response.
    public let admission: Admission
    let workers: WorkQueue
    let budget: ByteBudget
    /// Codebooks in the making: one, for each may take gigabytes.
    let codebooks = Admission(capacity: 1)
    let metrics: ServiceMetrics
    let deadlines: Deadlines
    let routes: RouteTable
    let crossOrigin: CrossOrigin
    private let lifecycle = Lifecycle()

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

    public func begin(_ head: HTTPRequestHead, peer: String?) -> HTTPDecision {
        Exchange(self, head, peer: peer).begin()
    }

    public func response(to error: HTTPWireError, head: HTTPRequestHead?, peer: String?) -> HTTPResponse {
        let id = head.map(Responses.requestID) ?? Responses.newID()
        let refusal = ServiceError(error)
        return finish(
            Responses.error(refusal, id: id, path: head?.path ?? ""),
            ResponseRecord(
                id: id, head: head, peer: peer, path: head.flatMap { routes.lookUp($0).path }, refusal: refusal,
                code: refusal.code, isOfWire: true))
    }

    public func started(_ server: HTTPServer) {
        metrics.watch(server)
    }

    /// The one way out of the service: the fields that every response has, its counts, and its line in the log.
    ///
    /// - Parameter release: gives the request's places back; before the client has its response.
    func finish(_ response: HTTPResponse, _ record: ResponseRecord, release: () -> Void = {}) -> HTTPResponse {
        var response = response
        Responses.stamp(&response, id: record.id, lifecycle.phase, record.timings)
        crossOrigin.stamp(&response, for: record.head)
        metrics.responded(record, response.status)
        release()
        log(record, response)
        return response
    }

    private func log(_ record: ResponseRecord, _ response: HTTPResponse) {
        guard let log = configuration.accessLog else { return }
        if !log.includesProbes, record.head != nil, record.path?.access == .anyone { return }
        log.write(record, response)
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

    func checkKey(of head: HTTPRequestHead, for access: Route.Access) throws(ServiceError) {
        guard let keys = configuration.keys else { return }
        switch access {
        case .anyone: return
        case .scrapers where !configuration.metricsNeedKey: return
        case .scrapers, .keyHolders: try keys.check(head.headers)
        }
    }

    func checkNeeds(of route: Route) throws(ServiceError) {
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
        guard text.utf8.count <= 9, let milliseconds = Int(digits: text), milliseconds > 0 else {
            throw ServiceError(
                400, "invalid_timeout",
                "\(name) is '\(shortened(text))', expected an integer in 1...999999999", param: name)
        }
        return min(configuration.requestTimeout, .milliseconds(milliseconds))
    }
}
