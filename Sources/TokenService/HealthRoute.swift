import Batching
import HTTPWire
import JSON

/// Probes. They read state only and never wait for the engine's queue.
enum HealthRoute {
    static let routes: [Route] =
        ["/health/live", "/livez"].map {
            Route("GET", $0, access: .anyone, .immediate { service, _, _ in live(service) })
        }
        + ["/health/ready", "/health", "/readyz", "/healthz"].map {
            Route("GET", $0, access: .anyone, .immediate { service, _, _ in ready(service) })
        }

    /// 503 only when the engine has been silent for long with work at hand: a restart would help.
    private static func live(_ service: TokenService) -> HTTPResponse {
        let isStalled = service.engine.silence() >= service.configuration.liveSilence
        return isStalled ? unavailable("stalled", retryAfter: 30) : good("live")
    }

    /// 200 when requests are served: loaded, warm, lively, not stopping. A full queue is still ready.
    private static func ready(_ service: TokenService) -> HTTPResponse {
        if service.isDraining { return unavailable("draining", retryAfter: 1) }
        switch service.engine.state {
        case .loading: return unavailable("loading", retryAfter: 2)
        case .failed: return unavailable("failed", retryAfter: 30)
        case .draining, .stopped: return unavailable("draining", retryAfter: 1)
        case .ready:
            let isStalled = service.engine.silence() >= service.configuration.readySilence
            return isStalled ? unavailable("stalled", retryAfter: 30) : good("ready")
        }
    }

    private static func good(_ status: String) -> HTTPResponse { answer(200, status) }

    /// - Parameter retryAfter: in seconds.
    private static func unavailable(_ status: String, retryAfter: Int) -> HTTPResponse {
        var response = answer(503, status)
        response.headers.add("Retry-After", "\(retryAfter)")
        return response
    }

    private static func answer(_ code: Int, _ status: String) -> HTTPResponse {
        let body: JSONValue = ["status": .string(status)]
        return HTTPResponse(
            status: code, headers: ["Content-Type": MediaType.json, "Cache-Control": "no-store"], body: body.write())
    }
}
