import Batching
import HTTPWire
import TokenFormats
import TokenizerCore

/// What is loaded.
enum ModelsRoute {
    static let routes: [Route] = [
        Route("GET", "/v1/models", needs: .models, .immediate(list)),
        Route("GET", "/v1/models/{id}", needs: .models, .immediate(one)),
        Route(
            "GET", "/v1/models/{id}/codebook", needs: .models,
            .work(BodyRule(inputs: [], outputs: [MediaType.npy]), codebook)),
    ]

    private static func list(_ exchange: Exchange) -> HTTPResponse {
        let service = exchange.service
        let models = service.engine.models.map { (id: $0.id, contract: $0.contract) }
        return Responses.resource(MediaType.json, ResponseJSON.models(models, limits: service.configuration.limits))
    }

    private static func one(_ exchange: Exchange) throws(ServiceError) -> HTTPResponse {
        let service = exchange.service
        let model = try service.model(exchange.parameter("id"))
        return Responses.resource(
            MediaType.json,
            ResponseJSON.model(model.id, contract: model.contract, limits: service.configuration.limits),
            [("X-Tessera-Contract", model.contract.fingerprint)])
    }

    /// HEAD too makes the table: its length is not known before.
    private static func codebook(_ exchange: Exchange, _ work: WorkRequest) async throws(ServiceError) -> HTTPResponse {
        let service = exchange.service
        let model = try service.model(exchange.parameter("id"))
        exchange.use(model.contract)
        // The same weights make the same table: a client that has it needn't wait for another.
        let fields = [("ETag", "\"\(model.contract.fingerprint)\""), ("Cache-Control", "no-cache")]
        let known = Responses.ok(MediaType.npy, [], fields).conditional(on: exchange.head)
        if known.status == 304 { return known }
        guard let place = service.codebooks.reserve(1) else { throw .codebookBusy }
        // Given back before the client has its response, which finds it free.
        defer { place.release() }
        let table = try await exchange.compute(nil, on: model) { $0.codebook() }
        return Responses.ok(MediaType.npy, try exchange.timed(\.postprocess) { ResponseJSON.codebook(table) }, fields)
    }
}
