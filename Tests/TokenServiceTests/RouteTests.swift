import HTTPWire
import JSON
import Testing

@testable import TokenService

@Suite(.timeLimit(.minutes(5))) struct RouteTests {
    private static let model = """
        {"id":"m","object":"model","architecture":"fake","parameters":1234,"precision":"fp32","tokens_per_image":4,\
        "codebook_size":16,"per_position_codebooks":false,"assignments":["sinkhorn","nearest"],"steps":8,\
        "temperature":1.0,"preprocessing":{"size":16,"filter":"bicubic"},"special_ids":{"mask":16,"class_offset":17,\
        "classes":1000,"no_class":1017},"limits":{"images_per_request":64,"image_bytes":20971520,\
        "image_pixels":25000000,"body_bytes":67108864},"contract":"aa11"}
        """

    @Test func modelsAreListed() throws {
        let client = try Client([("m", .steps), ("b", .books)])
        #expect(try text(client.get("/v1/models/m")) == Self.model)
        #expect(try client.get("/v1/models/m").headers.first("X-Tessera-Contract") == "aa11")
        let list = try JSONValue.parse(try client.get("/v1/models").body)
        #expect(list["object"] == "list")
        #expect(try list["data"]?[0] == JSONValue.parse(Array(Self.model.utf8)))
        #expect(list["data"]?[1]?["id"] == "b")
        #expect(list["data"]?[1]?["steps"] == .null)
    }

    @Test func theCodebookIsAnArray() throws {
        let response = try Client().get("/v1/models/m/codebook")
        #expect(response.status == 200)
        #expect(response.headers.first("Content-Type") == "application/x-npy")
        #expect(text(response).contains("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }"))
        #expect(response.body.count == 128 + 24)
        #expect(response.body.suffix(8) == [0, 0, 0, 0x40, 0, 0, 0x80, 0xBE])
    }

    @Test func reconstructionTellsItsLoss() throws {
        let client = try Client()
        // Grey 5 comes back as (15, 5, 0).
        let response = try client.post("/v1/reconstruct", "image/png", png(5))
        #expect(response.status == 200)
        #expect(response.headers.first("Content-Type") == "image/png")
        #expect(try firstPixel(response.body) == [15, 5, 0])
        // (100 + 0 + 25) / 3 on average.
        #expect(response.headers.first("X-Tessera-PSNR") == "31.9329")
        let ssim = try #require(response.headers.first("X-Tessera-SSIM").flatMap(Double.init))
        #expect(ssim > 0.5 && ssim < 1)
        #expect(response.headers.first("X-Tessera-Contract") == "aa11")
        let exact = try client.post("/v1/reconstruct?seed=0", "image/png", png(0))
        #expect(exact.headers.first("X-Tessera-PSNR") == "inf")
        #expect(exact.headers.first("X-Tessera-SSIM") == "1.0")
        let json = try client.post("/v1/reconstruct", json: #"{"input":"\#(base64(png(5)))","seed":3}"#)
        #expect(try firstPixel(json.body) == [15, 5, 3])
    }

    @Test(arguments: ["/health/live", "/livez"]) func liveness(path: String) throws {
        let response = try Client(loads: false).get(path)
        #expect(response.status == 200)
        #expect(text(response) == #"{"status":"live"}"#)
    }

    @Test(arguments: ["/health/ready", "/health", "/readyz", "/healthz"]) func readiness(path: String) throws {
        let loading = try Client(loads: false).get(path)
        #expect(loading.status == 503)
        #expect(text(loading) == #"{"status":"loading"}"#)
        let client = try Client()
        #expect(try client.get(path).status == 200)
        #expect(try text(client.get(path)) == #"{"status":"ready"}"#)
        client.service.beginDrain()
        #expect(try client.get(path).status == 503)
        #expect(try text(client.get(path)) == #"{"status":"draining"}"#)
    }

    @Test func modelsThatFailToLoadAreNotReady() throws {
        struct Broken: Error {}
        let client = try Client(loads: false)
        client.service.engine.start { throw Broken() }
        #expect(eventually { client.service.engine.state != .loading })
        #expect(try text(client.get("/health/ready")) == #"{"status":"failed"}"#)
        let response = try client.post("/v1/encode", "image/png", png(5))
        #expect(response.status == 503)
        #expect(try error(response, "code") == "failed")
    }

    @Test func aSilentEngineIsNotReadyAndThenNotLive() throws {
        let client = try Client {
            $0.readySilence = .zero
            $0.liveSilence = .seconds(3600)
        }
        #expect(try text(client.get("/health/ready")) == #"{"status":"stalled"}"#)
        #expect(try client.get("/health/live").status == 200)
        let dead = try Client { $0.liveSilence = .zero }
        #expect(try dead.get("/livez").status == 503)
        #expect(try text(dead.get("/livez")) == #"{"status":"stalled"}"#)
    }

    @Test(arguments: [
        ("/v1/encode", "POST, OPTIONS"), ("/v1/models", "GET, HEAD, OPTIONS"), ("/health", "GET, HEAD, OPTIONS"),
        ("*", "GET, HEAD, POST, OPTIONS"),
    ])
    func optionsTellTheMethods(path: String, allow: String) throws {
        let client = try Client()
        let response = try client.send("OPTIONS", path)
        #expect(response.status == 204)
        #expect(response.headers.first("Allow") == allow)
        if path != "*" {
            let refused = try client.send("PATCH", path)
            #expect(refused.status == 405)
            #expect(refused.headers.first("Allow") == allow)
        }
    }

    @Test func headIsAnsweredAsGet() throws {
        let client = try Client()
        for path in ["/v1/models", "/health", "/v1/models/m/codebook"] {
            let (get, head) = (try client.get(path), try client.send("HEAD", path))
            #expect(head.status == get.status)
            #expect(head.body == get.body)
        }
    }

    @Test func requestIDsAreEchoedOrMade() throws {
        let client = try Client()
        func id(_ sent: String?) throws -> String {
            let response = try client.send("GET", "/v1/models", sent.map { [("X-Request-Id", $0)] } ?? [])
            return try #require(response.headers.first("X-Request-Id"))
        }
        #expect(try id("abc-1") == "abc-1")
        for bad in [nil, "", "two words", String(repeating: "x", count: 129)] as [String?] {
            let made = try id(bad)
            #expect(made.utf8.count == 32 && made != bad)
        }
        let work = try client.send("POST", "/v1/encode", [("X-Request-Id", "abc-2")], png(5))
        #expect(work.headers.all("X-Request-Id") == ["abc-2"])
    }

    @Test func timesAreTold() throws {
        let response = try Client().post("/v1/encode", "image/png", png(5))
        let field = try #require(response.headers.first("Server-Timing"))
        let parts = field.split(separator: ", ").map { $0.split(separator: ";dur=") }
        #expect(parts.map { $0.first } == ["queue", "preprocess", "inference", "postprocess"])
        #expect(parts.allSatisfy { $0.count == 2 && (Double($0[1]) ?? -1) >= 0 })
        #expect(parts[1].last.flatMap { Double($0) } ?? 0 > 0)
    }
}
