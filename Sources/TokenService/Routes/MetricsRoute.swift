import HTTPWire
import Metrics

/// `GET /metrics`. Like a probe it reads state only and takes no place in the queue. Scrapers' `Accept` isn't looked
/// at: there is one format, and they read it.
enum MetricsRoute {
    static let routes: [Route] = [
        Route(
            "GET", "/metrics", access: .scrapers,
            .immediate { exchange in
                HTTPResponse(
                    status: 200, headers: ["Content-Type": Registry.contentType, "Cache-Control": "no-store"],
                    body: Array(exchange.service.metrics.text().utf8))
            })
    ]
}
