import Batching
import HTTPWire
import TokenizerCore

/// What is loaded.
enum ModelsRoute {
    static let routes: [Route] = [
        Route("GET", "/v1/models", needs: .models, .immediate { (service, _, _) in list(service) }),
        Route(
            "GET", "/v1/models/{id}", needs: .models,
            .immediate { (service, _, id) throws(ServiceError) in try one(service, id) }),
        Route(
            "GET", "/v1/models/{id}/codebook", needs: .models,
            .work(BodyRule(inputs: [], outputs: [MediaType.npy])) { service, context, _ in
                context.attempt { () throws(ServiceError) in try codebook(service, context) }
            }),
    ]

    private static func list(_ service: TokenService) -> HTTPResponse {
        let models = service.engine.models.map { (id: $0.id, contract: $0.contract) }
        return Responses.resource(MediaType.json, Answers.models(models, limits: service.configuration.limits))
    }

    private static func one(_ service: TokenService, _ id: String) throws(ServiceError) -> HTTPResponse {
        let model = try service.model(id)
        return Responses.resource(
            MediaType.json, Answers.model(id, contract: model.contract, limits: service.configuration.limits),
            [("X-Tessera-Contract", model.contract.fingerprint)])
    }

    /// HEAD too makes the table: its length is not known before.
    private static func codebook(_ service: TokenService, _ context: RequestContext) throws(ServiceError) {
        let segments = context.head.path.split(separator: "/")
        let model = try service.model(segments.count == 4 ? String(segments[2]) : nil)
        context.use(model.contract)
        // The same weights make the same table: a client that has it needn't wait for another.
        let fields = [("ETag", "\"\(model.contract.fingerprint)\""), ("Cache-Control", "no-cache")]
        let known = Responses.ok(MediaType.npy, [], fields).conditional(on: context.head)
        if known.status == 304 { return context.send(known) }
        guard let place = service.codebooks.reserve(1) else { throw .codebookBusy }
        service.run(.codebook, on: model, for: context) { outcome in
            service.workers.run(urgent: true) {
                context.attempt { () throws(ServiceError) in
                    // Given back first: whoever has the answer finds it free.
                    let body = try file(outcome, context, place)
                    context.send(Responses.ok(MediaType.npy, body, fields))
                }
            }
        }
    }

    private static func file(
        _ outcome: Result<Job.Output, ServiceError>, _ context: RequestContext, _ place: Reservation
    ) throws(ServiceError) -> [UInt8] {
        defer { place.release() }
        guard case .codebook(let table) = try outcome.get() else { throw .mixedUp }
        return try context.timed(\.postprocess) { Answers.codebook(table) }
    }
}

extension ServiceError {
    /// The engine answered other work than was asked of it.
    static let mixedUp = ServiceError(500, "internal", "the engine's answer is of another kind than its work")
}

extension TokenService {
    /// Gives the engine one image's work and notes the times.
    ///
    /// - Parameter completion: on the engine's thread; returns soon.
    func run(
        _ work: Job.Work, on model: Engine.Model, for context: RequestContext,
        completion: @escaping @Sendable (Result<Job.Output, ServiceError>) -> Void
    ) {
        context.submitted(to: model.id)
        let kind = WorkKind(work, of: model.id)
        engine.submit(
            Job(model: model, work: work, deadline: context.deadline, ticket: context.ticket) { outcome in
                self.metrics.ended(work, on: model, outcome)
                context.finishedOne()
                if let kind, outcome.pace > .zero { self.admission.observe(outcome.pace, of: kind) }
                context.record { timings in
                    timings.queue = max(timings.queue, outcome.queued)
                    timings.inference += outcome.inference
                }
                completion(outcome.result.mapError { ServiceError($0) })
            })
    }
}
