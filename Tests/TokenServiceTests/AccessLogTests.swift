import HTTPServer
import HTTPWire
import Logging
import Synchronization
import Testing

@testable import TokenService

/// Keeps what is logged.
private final class Recorder: Sendable {
    private let lines = Mutex<[(level: Logger.Level, fields: [String: String])]>([])

    var fields: [[String: String]] { lines.withLock { $0.map(\.fields) } }
    var levels: [Logger.Level] { lines.withLock { $0.map(\.level) } }
    var logger: Logger { Logger(label: "test") { _ in Handler(recorder: self) } }

    private struct Handler: LogHandler {
        let recorder: Recorder
        var logLevel = Logger.Level.info
        var metadata: Logger.Metadata = [:]
        var metadataProvider: Logger.MetadataProvider?

        subscript(metadataKey key: String) -> Logger.MetadataValue? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let fields = (event.metadata ?? [:]).mapValues { "\($0)" }
            recorder.lines.withLock { $0.append((event.level, fields)) }
        }
    }
}

/// One line for each answer.
@Suite(.timeLimit(.minutes(5))) struct AccessLogTests {
    private func logged(
        probes: Bool = false, _ configure: (inout ServiceConfiguration) -> Void = { _ in }
    ) throws -> (Client, Recorder) {
        let recorder = Recorder()
        let client = try Client {
            $0.accessLog = AccessLog(recorder.logger, includesProbes: probes)
            configure(&$0)
        }
        return (client, recorder)
    }

    @Test func workIsTold() throws {
        let (client, recorder) = try logged()
        let picture = png(5)
        let agent = String(repeating: "u", count: 500)
        let answer = try client.send(
            "POST", "/v1/encode?model=m",
            [("Content-Type", "image/png"), ("X-Request-Id", "id-1"), ("User-Agent", agent)], picture)
        let line = try #require(recorder.fields.first)
        #expect(recorder.fields.count == 1 && recorder.levels == [.info])
        let expected = [
            "request_id": "id-1", "method": "POST", "path": "/v1/encode", "status": "200",
            "bytes_in": "\(picture.count)", "bytes_out": "\(answer.body.count)", "model": "m", "images": "1",
            "user_agent": String(repeating: "u", count: 128) + "…",
        ]
        for (name, value) in expected { #expect(line[name] == value, "\(name)") }
        for name in ["duration_ms", "queue_ms", "inference_ms"] {
            #expect(try #require(line[name].flatMap(Double.init)) >= 0, "\(name)")
        }
        #expect(line["code"] == nil && line["peer"] == nil)
    }

    @Test func severalImagesAreCounted() throws {
        let (client, recorder) = try logged()
        let one = base64(png(5))
        _ = try client.post("/v1/encode", json: #"{"input":["\#(one)","\#(one)","\#(one)"]}"#)
        #expect(recorder.fields.first?["images"] == "3")
    }

    /// Method, path, body, status, code.
    @Test(
        arguments: [
            ("GET", "/nowhere?key=secret", [], "404", "not_found"), ("GET", "/v1/models", [], "200", nil),
            ("HEAD", "/v1/models", [], "200", nil), ("PATCH", "/health", [], "405", "method_not_allowed"),
            ("POST", "/v1/encode", Array("GIF89a".utf8), "415", "unsupported_image"),
        ] as [(String, String, [UInt8], String, String?)])
    func eachAnswerHasOneLine(method: String, target: String, body: [UInt8], status: String, code: String?) throws {
        let (client, recorder) = try logged(probes: true)
        let type = body.isEmpty ? [] : [("Content-Type", "image/png")]
        let answer = try client.send(method, target, type, body)
        let line = try #require(recorder.fields.first)
        #expect(recorder.fields.count == 1)
        #expect(line["status"] == status && line["code"] == code)
        #expect(line["request_id"] == answer.headers.first("X-Request-Id"))
        #expect(line["bytes_in"] == "\(body.count)")
        #expect(line["bytes_out"] == (method == "HEAD" ? "0" : "\(answer.body.count)"))
        #expect(!line.values.contains { $0.contains("secret") })
    }

    @Test func refusedKeysAreToldWithoutTheKey() throws {
        let (client, recorder) = try logged { $0.keys = APIKeys(["a-key-of-some-length"]) }
        _ = try client.send("GET", "/v1/models", [("Authorization", "Bearer wrong-but-secret-key")])
        #expect(recorder.fields.first?["code"] == "invalid_api_key")
        #expect(recorder.fields.first?.values.contains { $0.contains("secret") } == false)
    }

    @Test func probesAreLeftOutUnlessWanted() throws {
        let (client, recorder) = try logged()
        for path in ["/health", "/livez", "/health/ready"] { _ = try client.get(path) }
        #expect(recorder.fields.isEmpty)
        let (other, all) = try logged(probes: true)
        _ = try other.get("/health")
        #expect(all.fields.map { $0["path"] } == ["/health"])
    }

    @Test func whatTheWireRefusesIsTold() throws {
        let (client, recorder) = try logged()
        let peer = "127.0.0.1:5000"
        let answer = client.service.response(
            to: HTTPWireError(status: 400, code: "bare_lf", message: "a bare LF"), head: nil, peer: peer)
        let late = HTTPWireError(status: 408, code: "request_timeout", message: "too slow")
        let head = Client.head("POST", "/v1/encode", [("X-Request-Id", "slow")])
        guard case .collect(_, let exchange) = client.service.begin(head, peer: peer) else {
            Issue.record("the body is not wanted")
            return
        }
        _ = exchange.response(to: late)
        let lines = recorder.fields
        try #require(lines.count == 2)
        #expect(lines[0]["status"] == "400" && lines[0]["code"] == "bare_lf" && lines[0]["path"] == nil)
        #expect(lines[0]["request_id"] == answer.headers.first("X-Request-Id"))
        #expect(lines[1]["status"] == "408" && lines[1]["path"] == "/v1/encode" && lines[1]["request_id"] == "slow")
        #expect(lines.allSatisfy { $0["peer"] == "127.0.0.1:5000" })
    }

    @Test func ourOwnFaultIsAnError() throws {
        let (client, recorder) = try logged()
        let error = HTTPWireError(status: 500, code: "no_answer", message: "dropped")
        _ = client.service.response(to: error, head: nil, peer: nil)
        #expect(recorder.levels == [.error])
    }

    @Test func aClientThatLeftIsTold() throws {
        let (client, recorder) = try logged()
        client.gate.close()
        let first = client.start("POST", "/v1/encode", [("Content-Type", "image/png")], png(1))
        try #require(client.gate.awaitArrival())
        let second = client.start("POST", "/v1/encode", [("Content-Type", "image/png")], png(2))
        #expect(eventually { client.service.engine.waiting > 0 })
        second.cancel()
        #expect(eventually { recorder.fields.contains { $0["status"] == "499" && $0["bytes_out"] == "0" } })
        client.gate.open()
        #expect(try first.get().status == 200)
    }
}
