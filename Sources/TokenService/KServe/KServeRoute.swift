import HTTPWire
import JSON

/// Health and metadata of the Open Inference Protocol (KServe v2).
enum KServeRoute {
    /// A model's path, without and with its only version.
    static let models = ["/v2/models/{id}", "/v2/models/{id}/versions/\(KServeModel.version)"]

    static let routes: [Route] =
        [
            Route("GET", "/v2", .immediate { _ in Responses.resource(MediaType.json, KServeJSON.server()) }),
            Route(
                "GET", "/v2/health/live", access: .anyone,
                .immediate { probe("live", HealthRoute.live($0.service)) }),
            Route(
                "GET", "/v2/health/ready", access: .anyone,
                .immediate { probe("ready", HealthRoute.ready($0.service)) }),
        ]
        + models.flatMap { path in
            [
                Route("GET", path, needs: .models, .immediate(metadata)),
                Route("GET", path + "/ready", .immediate(ready)),
            ]
        }

    /// Whether errors on this path have the protocol's form.
    static func owns(_ path: String) -> Bool { path == "/v2" || path.hasPrefix("/v2/") }

    private static func probe(_ word: String, _ finding: HealthRoute.Finding) -> HTTPResponse {
        HealthRoute.response(.object(JSONObject([(word, .bool(finding.isGood))])), finding)
    }

    private static func metadata(_ exchange: Exchange) throws(ServiceError) -> HTTPResponse {
        let model = try exchange.service.kserveModel(exchange.parameter("id"))
        return Responses.resource(
            MediaType.json, KServeJSON.metadata(model), [("X-Tessera-Contract", model.model.contract.fingerprint)])
    }

    /// Until the models are loaded it isn't known which there are.
    private static func ready(_ exchange: Exchange) throws(ServiceError) -> HTTPResponse {
        let name = exchange.parameter("id")
        let finding = HealthRoute.ready(exchange.service)
        if finding.isGood { _ = try exchange.service.kserveModel(name) }
        return HealthRoute.response(["name": .string(name), "ready": .bool(finding.isGood)], finding)
    }
}
