import Batching
import HTTPWire
import JSON

/// Probes. They read state only and never wait for the engine's queue.
enum HealthRoute {
    static let routes: [Route] =
        ["/health/live", "/livez"].map {
            Route("GET", $0, access: .anyone, .immediate { response(live($0.service)) })
        }
        + ["/health/ready", "/health", "/readyz", "/healthz"].map {
            Route("GET", $0, access: .anyone, .immediate { response(ready($0.service)) })
        }

    /// What a probe found.
    struct Finding {
        let status: String
        /// Seconds after which it may be another; `nil` where all is well.
        var retryAfter: Int?

        var isGood: Bool { retryAfter == nil }
    }

    /// Bad only when the engine has been silent for long with work at hand: a restart would help.
    static func live(_ service: TokenService) -> Finding {
        let isStalled = service.engine.silence() >= service.configuration.liveSilence
        return isStalled ? Finding(status: "stalled", retryAfter: 30) : Finding(status: "live")
    }

    /// Good when requests are served: loaded, warm, lively, not stopping. A full queue is still ready.
    static func ready(_ service: TokenService) -> Finding {
        if service.isDraining { return Finding(status: "draining", retryAfter: 1) }
        switch service.engine.state {
        case .loading: return Finding(status: "loading", retryAfter: 2)
        case .failed: return Finding(status: "failed", retryAfter: 30)
        case .draining, .stopped: return Finding(status: "draining", retryAfter: 1)
        case .ready:
            let isStalled = service.engine.silence() >= service.configuration.readySilence
            return isStalled ? Finding(status: "stalled", retryAfter: 30) : Finding(status: "ready")
        }
    }

    private static func response(_ finding: Finding) -> HTTPResponse {
        switch finding.status {
        case "live": isLive
        case "ready": isReady
        default: response(["status": .string(finding.status)], finding)
        }
    }

    // Made once: probes are many.
    private static let isLive = response(["status": "live"], Finding(status: "live"))
    private static let isReady = response(["status": "ready"], Finding(status: "ready"))

    static func response(_ body: JSONValue, _ finding: Finding) -> HTTPResponse {
        var headers: HTTPHeaders = ["Content-Type": MediaType.json, "Cache-Control": "no-store"]
        if let seconds = finding.retryAfter { headers.add("Retry-After", "\(seconds)") }
        return HTTPResponse(status: finding.isGood ? 200 : 503, headers: headers, body: body.write())
    }
}
