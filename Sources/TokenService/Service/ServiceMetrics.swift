import Batching
import Evaluation
import HTTPServer
import Metrics
import Synchronization
import TokenizerCore

/// What the service tells of itself at `/metrics`.
///
/// Its parts are asked for what is, and for what they count themselves, when the page is read; only what happens to
/// requests and images is counted here.
final class ServiceMetrics: Sendable {
    /// The label of a route that isn't known.
    static let otherRoute = "other"
    /// Images over which the use of codes is measured.
    static let window = 4096

    private struct Weak {
        weak let server: HTTPServer?
    }

    /// Responses that are counted together.
    private struct Kind: Hashable {
        /// The path's index in the table; -1: none's.
        let path: Int
        let status: Int
    }

    private struct Window {
        let contract: String
        var codes: CodeWindow
    }

    private let registry = Registry()
    private let requests: Family<Counter>
    private let durations: Family<Histogram>
    private let rejected: Family<Counter>
    private let cancelled: Counter
    private let queued: Histogram
    private let stages: Family<Histogram>
    private let images: Family<Counter>
    private let margins: Family<Histogram>
    private let reloads: Family<Counter>
    private let engine: Engine
    /// The instruments of responses that there have been: finding them by numbers is cheaper than by their labels.
    private let instruments = Mutex<[Kind: (count: Counter, duration: Histogram)]>([:])
    /// One of `rejected`: the one that is counted most.
    private let queueFull: Counter
    private let servers = Mutex<[Weak]>([])
    /// By model.
    private let windows = Mutex<[String: Window]>([:])

    init(engine: Engine) {
        self.engine = engine
        requests = registry.counter(
            "tessera_http_requests_total",
            "Responses, by route and status; 499: the client disconnected before. Requests that are no good HTTP, or "
                + "too long, have the route 'other'.", labels: ["route", "code"])
        durations = registry.histogram(
            "tessera_http_request_duration_seconds", "From a whole request to its response, in seconds.",
            labels: ["route"], bounds: Self.seconds)
        rejected = registry.counter(
            "tessera_rejected_total", "Requests that got 429, 503 or 504, by the error's code.",
            labels: ["reason"])
        cancelled =
            registry.counter(
                "tessera_cancelled_total", "Requests whose client disconnected before their response.")[]
        queued =
            registry.histogram(
                "tessera_queue_seconds", "An image's wait for the engine until it was begun or dropped, in seconds.",
                bounds: Self.seconds)[]
        stages = registry.histogram(
            "tessera_stage_seconds",
            "A request's time in a stage, over all of its images, in seconds: what its Server-Timing tells.",
            labels: ["stage"], bounds: Self.seconds)
        images = registry.counter(
            "tessera_images_total", "Images that a model has worked through, by operation.", labels: ["model", "op"])
        margins = registry.histogram(
            "tessera_token_margin",
            "How much farther a token's runner-up code is than its nearest. Only of requests with margin=true: under "
                + "Sinkhorn it takes a search of its own.", labels: ["model"],
            bounds: [1e-6, 1e-5, 1e-4, 1e-3, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10])
        reloads = registry.counter(
            "tessera_model_reloads_total",
            "Reloads of the models, by result: 'success', or 'failure', which left those before in their place.",
            labels: ["result"])
        queueFull = rejected[ServiceError.queueFull(Admission(capacity: 1)).code]
        addReadings()
        for result in ["success", "failure"] { _ = reloads[result] }
        // Known before they happen, so that the first one is seen as an increase.
        for error in [ServiceError.loading, .draining, .expired] { _ = rejected[error.code] }
        _ = rejected["uploads_full"]
    }

    /// Upper bounds of times.
    private static let seconds = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60]

    /// Counts the connections of `server` as well; it isn't kept alive.
    func watch(_ server: HTTPServer) {
        servers.withLock { $0.append(Weak(server: server)) }
    }

    /// What a scraper reads.
    func text() -> String {
        for model in engine.models {
            for operation in WorkKind.Operation.allCases { _ = images[model.id, operation.rawValue] }
        }
        return registry.text()
    }
}

// MARK: - What happens

extension ServiceMetrics {
    /// A response goes out.
    func responded(_ record: ResponseRecord, _ status: Int) {
        if record.isOfWire {
            requests[Self.otherRoute, "\(status)"].add()
            if [429, 503].contains(status), let refusal = record.refusal { rejected[refusal.code].add() }
            return
        }
        let kind = Kind(path: record.path?.index ?? -1, status: record.status(of: status))
        let (count, duration) = instruments.withLock { instruments in
            if let known = instruments[kind] { return known }
            let route = record.path?.name ?? Self.otherRoute
            let new = (count: requests[route, "\(kind.status)"], duration: durations[route])
            instruments[kind] = new
            return new
        }
        count.add()
        duration.observe(.now - record.start)
        if let refusal = record.refusal, kind.status == refusal.status, [429, 503, 504].contains(kind.status) {
            (refusal.code == "queue_full" ? queueFull : rejected[refusal.code]).add()
        }
        let timings = record.timings
        guard timings != Timings() else { return }
        let spans = [
            ("preprocess", timings.preprocess), ("inference", timings.inference), ("postprocess", timings.postprocess),
        ]
        for (stage, span) in spans where span > .zero { stages[stage].observe(span) }
    }

    /// A client disconnected while its request was being worked on.
    func requestCancelled() {
        cancelled.add()
    }

    /// What became of a reload. One that never began isn't counted.
    func reloaded(_ result: Result<Void, ReloadFailure>) {
        switch result {
        case .success: reloads["success"].add()
        case .failure(.failed): reloads["failure"].add()
        case .failure(.notReady), .failure(.busy): break
        }
    }

    /// A job has ended. On the engine's thread, mostly.
    ///
    /// - Parameter operation: `nil`: it was no image's.
    func ended<Output>(_ operation: WorkKind.Operation?, on model: Engine.Model, _ outcome: Job.Outcome<Output>) {
        switch outcome.result {
        case .failure(.loading), .failure(.failed), .failure(.draining), .failure(.unknownModel): return
        case .success, .failure(.expired), .failure(.cancelled), .failure(.tokenizer):
            queued.observe(outcome.queued)
        }
        guard case .success = outcome.result, let operation else { return }
        images[model.id, operation.rawValue].add()
    }

    /// A model has made an image's tokens.
    func encoded(_ tokens: TokenSequence, by model: Engine.Model) {
        if let values = tokens.margins { margins[model.id].observe(values) }
        // What an earlier model finishes after a reload doesn't count: the window tells of the one that is served.
        guard engine.models.contains(model) else { return }
        let fingerprint = model.contract.fingerprint
        windows.withLock { windows in
            // Other weights under the same name: their codes have nothing to do with those before.
            if windows[model.id]?.contract != fingerprint {
                let codes = CodeWindow(model.contract, capacity: Self.window)
                windows[model.id] = Window(contract: fingerprint, codes: codes)
            }
            windows[model.id]?.codes.add(tokens.ids)
        }
    }
}

// MARK: - What is

extension ServiceMetrics {
    private func addReadings() {
        let engine = engine
        registry.readGauge("tessera_queue_depth", "Images that wait for the engine.") {
            [.init(Double(engine.waiting))]
        }
        registry.readCounter("tessera_engine_busy_seconds_total", "Time in which the engine had work, in seconds.") {
            [.init(engine.statistics.busy / .seconds(1))]
        }
        registry.readHistogram("tessera_batch_images", "Images in a batch; a codebook's making counts as one.") {
            var snapshot = Histogram.Snapshot(bounds: [1, 2, 4, 8, 16, 32, 64])
            for (size, times) in engine.statistics.batches.enumerated() {
                snapshot.observe(Double(size), times: UInt64(times))
            }
            return snapshot
        }
        registry.readGauge("tessera_connections", "Open connections, idle ones included.") { [weak self] in
            let counts = self?.servers.withLock { $0.map { $0.server?.connectionCount ?? 0 } } ?? []
            return [.init(Double(counts.reduce(0, +)))]
        }
        addCodes()
        registry.readGauge("tessera_build_info", "Always 1; its label tells the version.", labels: ["version"]) {
            [.init(1, TokenService.version)]
        }
        registry.addProcess()
    }

    private func addCodes() {
        registry.readGauge(
            "tessera_codes_used", "Codes in use among the tokens of the latest \(Self.window) images of a model.",
            labels: ["model"]
        ) { [weak self] in
            self?.read { Double($0.codesUsed) } ?? []
        }
        registry.readGauge(
            "tessera_code_perplexity",
            "As many equally frequent codes: 2 to the entropy of the same tokens; 0 before there are any.",
            labels: ["model"]
        ) { [weak self] in
            self?.read { $0.count > 0 ? CodeStatistics.perplexity($0.entropy) : 0 } ?? []
        }
    }

    private func read(_ number: (CodeWindow) -> Double) -> [Registry.Sample] {
        windows.withLock { windows in
            engine.models.map { model in
                let window = windows[model.id].flatMap { $0.contract == model.contract.fingerprint ? $0.codes : nil }
                return Registry.Sample(number(window ?? CodeWindow(model.contract, capacity: 1)), model.id)
            }
        }
    }
}
