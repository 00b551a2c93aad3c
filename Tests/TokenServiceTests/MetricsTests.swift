import Foundation
import HTTPServer
import HTTPWire
import JSON
import MetricsReader
import SocketClient
import Testing
import TokenizerCore

@testable import Batching
@testable import TokenService

extension Client {
    fileprivate func page() throws -> MetricsPage {
        let response = try get("/metrics")
        try #require(response.status == 200)
        return try MetricsPage(text(response))
    }
}

@Suite(.timeLimit(.minutes(5))) struct MetricsTests {
    /// Every name, with its type and labels.
    private static let contents: [(name: String, type: String, labels: Set<String>)] = [
        ("tessera_http_requests_total", "counter", ["route", "code"]),
        ("tessera_http_request_duration_seconds", "histogram", ["route", "le"]),
        ("tessera_rejected_total", "counter", ["reason"]), ("tessera_cancelled_total", "counter", []),
        ("tessera_queue_depth", "gauge", []), ("tessera_queue_seconds", "histogram", ["le"]),
        ("tessera_stage_seconds", "histogram", ["stage", "le"]), ("tessera_batch_images", "histogram", ["le"]),
        ("tessera_images_total", "counter", ["model", "op"]), ("tessera_build_info", "gauge", ["version"]),
        ("tessera_connections", "gauge", []), ("tessera_engine_busy_seconds_total", "counter", []),
        ("tessera_token_margin", "histogram", ["model", "le"]), ("tessera_codes_used", "gauge", ["model"]),
        ("tessera_code_perplexity", "gauge", ["model"]), ("tessera_model_reloads_total", "counter", ["result"]),
        ("process_cpu_seconds_total", "counter", []),
        ("process_resident_memory_bytes", "gauge", []), ("process_virtual_memory_bytes", "gauge", []),
        ("process_threads", "gauge", []), ("process_start_time_seconds", "gauge", []),
        ("process_open_fds", "gauge", []), ("process_max_fds", "gauge", []),
    ]

    @Test func allMetricsAreThere() throws {
        let client = try Client()
        let margins = try client.post("/v1/encode?margin=true", "image/png", png(1))
        #expect(margins.status == 200)
        let page = try client.page()
        #expect(Set(page.families.map(\.name)) == Set(Self.contents.map(\.name)))
        for (name, type, labels) in Self.contents {
            let family = try #require(page.family(name))
            #expect(family.type == type, "\(name)")
            #expect(!family.samples.isEmpty, "\(name)")
            #expect(family.samples.reduce(into: Set()) { $0.formUnion($1.labels.keys) } == labels, "\(name)")
        }
        #expect(page.value("tessera_build_info", ["version": TokenService.version]) == 1)
    }

    @Test func thePageIsPrometheus() throws {
        // Before anything is loaded, too; and whatever is accepted.
        for client in [try Client(loads: false), try Client()] {
            let accept = [("Accept", "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.3")]
            let response = try client.send("GET", "/metrics", accept)
            #expect(response.status == 200)
            #expect(response.headers.first("Content-Type") == "text/plain; version=0.0.4; charset=utf-8")
            #expect(response.headers.first("Cache-Control") == "no-store")
            #expect(throws: Never.self) { try MetricsPage(text(response)) }
        }
    }

    @Test func answersAreCountedByRouteAndStatus() throws {
        let client = try Client([("m", .steps), ("b", .books)])
        for _ in 0..<3 { #expect(try client.get("/health/live").status == 200) }
        for id in ["m", "b", "none"] { _ = try client.get("/v1/models/\(id)") }
        _ = try client.get("/v1/models/m/codebook")
        _ = try client.post("/v1/encode?model=m", "image/png", png(1))
        _ = try client.post("/v1/encode?model=m", "image/png", [1, 2, 3])
        _ = try client.post("/v1/encode?model=m", "text/html", [])
        _ = try client.send("DELETE", "/v1/encode")
        _ = try client.send("OPTIONS", "/v1/decode")
        _ = try client.send("OPTIONS", "*")
        for path in ["/nowhere", "/v1/models/", "/v1/models/m/codebook/x"] { _ = try client.get(path) }
        _ = client.service.response(
            to: HTTPWireError(status: 400, code: "bad", message: "bad"), head: nil, peer: nil)
        let page = try client.page()
        let found = page.family("tessera_http_requests_total")?.samples.map {
            "\($0.labels["route"] ?? "") \($0.labels["code"] ?? "") \(Int($0.value))"
        }
        #expect(
            found == [
                "/health/live 200 3", "/v1/decode 204 1", "/v1/encode 200 1", "/v1/encode 405 1", "/v1/encode 415 2",
                "/v1/models/{id} 200 2", "/v1/models/{id} 404 1", "/v1/models/{id}/codebook 200 1", "other 204 1",
                "other 400 1", "other 404 3",
            ])
        #expect(page.value("tessera_http_request_duration_seconds_count", ["route": "/v1/encode"]) == 4)
        #expect(page.value("tessera_http_request_duration_seconds_count", ["route": "/v1/models/{id}"]) == 3)
        #expect(try client.page().value("tessera_http_requests_total", ["route": "/metrics", "code": "200"]) == 1)
    }

    @Test func imagesAndTheirTimesAreCounted() throws {
        let client = try Client([("m", .steps), ("b", .books)])
        let list = "[\"\(base64(png(1)))\",\"\(base64(png(2)))\",\"AAAA\"]"
        #expect(try client.post("/v1/encode", json: #"{"model":"m","input":\#(list)}"#).status == 200)
        #expect(try client.post("/v1/decode", json: #"{"model":"b","tokens":[[1,2,3,4],[1,2,3,99]]}"#).status == 200)
        #expect(try client.post("/v1/reconstruct?model=b", "image/png", png(3)).status == 200)
        #expect(try client.get("/v1/models/m/codebook").status == 200)
        #expect(eventually { client.service.engine.silence() == .zero })
        let page = try client.page()
        let found = page.family("tessera_images_total")?.samples.map {
            "\($0.labels["model"] ?? "") \($0.labels["op"] ?? "") \(Int($0.value))"
        }
        #expect(
            found == ["b decode 1", "b encode 0", "b reconstruct 1", "m decode 0", "m encode 2", "m reconstruct 0"])
        #expect(page.value("tessera_queue_seconds_count") == 5)
        // Of the five jobs, the codebook's among them.
        #expect(page.value("tessera_batch_images_sum") == 5)
        #expect(page.value("tessera_stage_seconds_count", ["stage": "preprocess"]) == 2)
        #expect(page.value("tessera_stage_seconds_count", ["stage": "inference"]) == 4)
        #expect(page.value("tessera_stage_seconds_count", ["stage": "postprocess"]) == 4)
        let busy = try #require(page.value("tessera_engine_busy_seconds_total"))
        #expect(busy > 0)
        #expect(busy >= page.value("tessera_stage_seconds_sum", ["stage": "inference"]) ?? .infinity)
    }

    @Test func codesAreCountedOverTheLatestImages() throws {
        let client = try Client([("m", .steps), ("b", .books)])
        let before = try client.page()
        #expect(before.value("tessera_codes_used", ["model": "m"]) == 0)
        #expect(before.value("tessera_code_perplexity", ["model": "m"]) == 0)
        for grey in [1, 2, 17, 18] as [UInt8] {
            #expect(try client.post("/v1/encode?model=m", "image/png", png(grey)).status == 200)
        }
        #expect(try client.post("/v1/encode?model=b", "image/png", png(9)).status == 200)
        let page = try client.page()
        #expect(page.value("tessera_codes_used", ["model": "m"]) == 2)
        #expect(page.value("tessera_code_perplexity", ["model": "m"]) == 2)
        // The same id at four positions, each with its own codebook.
        #expect(page.value("tessera_codes_used", ["model": "b"]) == 4)
        #expect(page.value("tessera_code_perplexity", ["model": "b"]) == 4)
    }

    @Test func marginsAreThoseThatWereAskedFor() throws {
        let client = try Client()
        #expect(try client.post("/v1/encode", "image/png", png(1)).status == 200)
        #expect(try client.page().family("tessera_token_margin")?.samples == [])
        for _ in 0..<2 { #expect(try client.post("/v1/encode?margin=true", "image/png", png(1)).status == 200) }
        let page = try client.page()
        // 0.5, 0.1, 2 and 1e-8, twice.
        for (bound, count) in [("1e-06", 2), ("0.03", 2), ("0.3", 4), ("1", 6), ("3", 8), ("+Inf", 8)] {
            #expect(
                page.value("tessera_token_margin_bucket", ["model": "m", "le": bound]) == Double(count), "\(bound)")
        }
    }

    @Test func refusalsAreCountedByReason() throws {
        let client = try Client { $0.limits.queuedImages = 1 }
        #expect(try client.page().value("tessera_rejected_total", ["reason": "queue_full"]) == 0)
        client.gate.close()
        let first = client.start("POST", "/v1/encode", [], png(1))
        try #require(client.gate.awaitArrival())
        for _ in 0..<2 { #expect(try client.post("/v1/encode", "image/png", png(2)).status == 429) }
        client.gate.open()
        #expect(try first.get().status == 200)
        let many = #"{"tokens":[[1,2,3,4],[1,2,3,4]]}"#
        #expect(try client.post("/v1/decode", json: many).status == 413)
        client.service.refuseRequests()
        #expect(try client.post("/v1/encode", "image/png", png(2)).status == 503)
        let loading = try Client(loads: false)
        #expect(try loading.get("/v1/models").status == 503)
        // Not ready is an answer, not a refusal.
        #expect(try loading.get("/health/ready").status == 503)
        let counts = [try client.page(), try loading.page()].map { page in
            ["queue_full", "draining", "loading", "deadline_exceeded"].map {
                page.value("tessera_rejected_total", ["reason": $0])
            }
        }
        #expect(counts == [[2, 1, 0, 0], [0, 0, 1, 0]])
    }

    @Test func whatIsLateOrGoneIsCountedOnce() throws {
        let client = try Client()
        client.gate.close()
        let first = client.start("POST", "/v1/encode", [], png(1))
        try #require(client.gate.awaitArrival())
        let gone = client.start("POST", "/v1/encode", [], png(3))
        #expect(eventually { client.service.engine.waiting > 0 })
        #expect(try client.page().value("tessera_queue_depth") == 1)
        gone.cancel()
        #expect(try client.page().value("tessera_queue_depth") == 0)
        let late = client.start("POST", "/v1/encode", [("X-Request-Timeout-Ms", "20")], png(2))
        #expect(try late.get().status == 504)
        first.cancel()
        client.gate.open()
        #expect(eventually { client.service.admission.images == 0 })
        #expect(try client.post("/v1/encode", "image/png", png(4)).status == 200)
        let page = try client.page()
        let codes = ["200", "499", "504"].map {
            page.value("tessera_http_requests_total", ["route": "/v1/encode", "code": $0])
        }
        #expect(codes == [1, 2, 1])
        #expect(page.value("tessera_cancelled_total") == 2)
        #expect(page.value("tessera_rejected_total", ["reason": "deadline_exceeded"]) == 1)
        // What was dropped has waited as well; the late one may not have come as far as the engine.
        #expect(try #require(page.value("tessera_queue_seconds_count")) >= 3)
        // The one that was running when its client went had been worked through all the same.
        #expect(page.value("tessera_images_total", ["model": "m", "op": "encode"]) == 2)
    }

    @Test func connectionsAreThoseOfTheServer() async throws {
        let client = try Client()
        let server = HTTPServer(configuration: .init(listen: ["127.0.0.1:0"]), handler: client.service)
        guard case .tcp(_, let port) = try #require(try server.start().first) else { return }
        #expect(try client.page().value("tessera_connections") == 0)
        do {
            let socket = try SocketClient(port: port)
            let other = try SocketClient(port: port)
            try other.send("GET", "/health/live", [], [])
            #expect(try other.read().head.hasPrefix("HTTP/1.1 200 "))
            func scrape() throws -> MetricsPage {
                try socket.send("GET", "/metrics", [], [])
                return try MetricsPage(String(decoding: try socket.read().body, as: UTF8.self))
            }
            // The listener takes a place before it looks whether there is one more to accept.
            #expect(eventually { (try? scrape().value("tessera_connections")) == 2 })
            let page = try scrape()
            #expect(page.value("tessera_http_requests_total", ["route": "/health/live", "code": "200"]) == 1)
        }
        #expect(eventually { (try? client.page().value("tessera_connections")) == 0 })
        #expect(await server.shutdown(grace: .seconds(5)) == 0)
    }

    /// Many threads' requests and scrapes at once.
    @Test func nothingIsLostUnderLoad() throws {
        let client = try Client()
        let pendings = (0..<200).map { index in
            index % 10 == 0
                ? client.start("GET", "/metrics") : client.start("POST", "/v1/encode", [], png(UInt8(index & 15)))
        }
        for pending in pendings { #expect(try pending.get().status == 200) }
        let page = try client.page()
        #expect(page.value("tessera_http_requests_total", ["route": "/v1/encode", "code": "200"]) == 180)
        #expect(page.value("tessera_images_total", ["model": "m", "op": "encode"]) == 180)
        #expect(page.value("tessera_stage_seconds_count", ["stage": "inference"]) == 180)
        #expect(page.value("tessera_queue_depth") == 0)
    }
}
