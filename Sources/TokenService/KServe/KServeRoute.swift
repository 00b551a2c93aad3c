import HTTPWire
import JSON

/// Health and metadata of the Open Inference Protocol (KServe v2).
enum KServeRoute {
    /// A model's path, without and with its only version.
    static let models = ["/v2/models/{id}", "/v2/models/{id}/versions/\(KServeModel.version)"]

    static let routes: [Route] =
        [
            Route("GET", "/v2", .immediate { _, _, _ in Responses.resource(MediaType.json, KServeAnswers.server()) }),
            Route(
                "GET", "/v2/health/live", access: .anyone,
                .immediate { service, _, _ in probe("live", HealthRoute.live(service)) }),
            Route(
                "GET", "/v2/health/ready", access: .anyone,
                .immediate { service, _, _ in probe("ready", HealthRoute.ready(service)) }),
        ]
        + models.flatMap { path in
            [
                Route(
                    "GET", path, needs: .models,
                    .immediate { (service, _, name) throws(ServiceError) in try metadata(service, name) }),
                Route(
                    "GET", path + "/ready",
                    .immediate { (service, _, name) throws(ServiceError) in try ready(service, name) }),
            ]
        }

    /// Whether errors on this path have the protocol's form.
    static func owns(_ path: String) -> Bool { path == "/v2" || path.hasPrefix("/v2/") }

    private static func probe(_ word: String, _ finding: HealthRoute.Finding) -> HTTPResponse {
        HealthRoute.answer(.object(JSONObject([(word, .bool(finding.isGood))])), finding)
    }

    private static func metadata(_ service: TokenService, _ name: String) throws(ServiceError) -> HTTPResponse {
        let model = try service.kserveModel(name)
        return Responses.resource(
            MediaType.json, KServeAnswers.metadata(model), [("X-Tessera-Contract", model.model.contract.fingerprint)])
    }

    /// Until the models are loaded it isn't known which there are.
    private static func ready(_ service: TokenService, _ name: String) throws(ServiceError) -> HTTPResponse {
        let finding = HealthRoute.ready(service)
        if finding.isGood { _ = try service.kserveModel(name) }
        return HealthRoute.answer(["name": .string(name), "ready": .bool(finding.isGood)], finding)
    }
}
