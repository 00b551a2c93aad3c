import Batching
import HTTPWire
import JSON

/// Probes. They read state only and never wait for the engine's queue.
enum HealthRoute {
    static let routes: [Route] =
        ["/health/live", "/livez"].map { Route("GET", $0, .immediate { service, _, _ in live(service) }) }
        + ["/health/ready", "/health", "/readyz", "/healthz"].map {
            Route("GET", $0, .immediate { service, _, _ in ready(service) })
        }

    /// 503 only when the engine has been silent for long with work at hand: a restart would help.
    private static func live(_ service: TokenService) -> HTTPResponse {
        let isStalled = service.engine.silence() >= service.configuration.liveSilence
        return answer(isStalled ? "stalled" : "live", isGood: !isStalled)
    }

    /// 200 when requests are served: loaded, warm, lively, not stopping. A full queue is still ready.
    private static func ready(_ service: TokenService) -> HTTPResponse {
        if service.isDraining { return answer("draining", isGood: false) }
        switch service.engine.state {
        case .loading: return answer("loading", isGood: false)
        case .failed: return answer("failed", isGood: false)
        case .draining, .stopped: return answer("draining", isGood: false)
        case .ready:
            let isStalled = service.engine.silence() >= service.configuration.readySilence
            return answer(isStalled ? "stalled" : "ready", isGood: !isStalled)
        }
    }

    private static func answer(_ status: String, isGood: Bool) -> HTTPResponse {
        let body: JSONValue = ["status": .string(status)]
        return HTTPResponse(
            status: isGood ? 200 : 503, headers: ["Content-Type": MediaType.json, "Cache-Control": "no-store"],
            body: body.write())
    }
}
