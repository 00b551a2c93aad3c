import HTTPWire
import JSON
import Testing

@testable import TokenService

private let key = "a-key-of-some-length"

/// API keys at the door.
@Suite(.timeLimit(.minutes(5))) struct KeyTests {
    private func guarded(_ configure: (inout ServiceConfiguration) -> Void = { _ in }) throws -> Client {
        try Client {
            $0.keys = APIKeys([key, "another-key-beside-it"])
            configure(&$0)
        }
    }

    @Test(arguments: [
        "Bearer \(key)", "bearer \(key)", "BEARER   \(key)", "Bearer another-key-beside-it",
    ])
    func aKeyOpens(field: String) throws {
        let client = try guarded()
        #expect(try client.send("GET", "/v1/models", [("Authorization", field)]).status == 200)
        let encoded = try client.send(
            "POST", "/v1/encode", [("Authorization", field), ("Content-Type", "image/png")], png(5))
        #expect(encoded.status == 200)
    }

    @Test(arguments: [
        [], ["Bearer"], ["Bearer "], ["Basic \(key)"], [key], ["Bearer \(key)x"], ["Bearer \(key.dropLast())"],
        ["Bearer \(key.uppercased())"], ["Bearer \(key) x"], ["Bearer \(key), Bearer \(key)"], ["Bearer \(key)", "x"],
        ["Bearer \(key)", "Bearer \(key)"], ["Bearer \(String(repeating: "x", count: 16_000))"],
    ])
    func withoutOneNothingIsTold(fields: [String]) throws {
        let client = try guarded()
        let headers = fields.map { ("Authorization", $0) }
        let requests = [
            ("GET", "/v1/models"), ("GET", "/v1/models/none"), ("POST", "/v1/encode"), ("DELETE", "/v1/encode"),
            ("OPTIONS", "/v1/encode"), ("GET", "/nowhere"), ("OPTIONS", "*"), ("HEAD", "/v1/models"),
        ]
        for (method, path) in requests {
            let response = try client.send(method, path, headers)
            #expect(response.status == 401, "\(method) \(path)")
            #expect(response.headers.all("WWW-Authenticate") == ["Bearer"])
            #expect(try error(response, "type") == "authentication_error")
            #expect(try error(response, "code") == (fields.isEmpty ? "missing_api_key" : "invalid_api_key"))
            #expect(!text(response).contains(key))
            #expect(response.headers.first("Allow") == nil)
        }
    }

    @Test(arguments: ["/health/live", "/livez", "/health/ready", "/health", "/readyz", "/healthz"])
    func probesNeedNone(path: String) throws {
        #expect(try guarded().get(path).status == 200)
        #expect(try guarded().send("HEAD", path).status == 200)
    }

    @Test func metricsNeedOneWhereAsked() throws {
        #expect(try guarded().get("/metrics").status == 200)
        let client = try guarded { $0.metricsNeedKey = true }
        #expect(try client.get("/metrics").status == 401)
        #expect(try client.send("GET", "/metrics", [("Authorization", "Bearer \(key)")]).status == 200)
    }

    @Test func replacedKeysCountAtOnce() throws {
        let keys = APIKeys([key])
        let client = try Client { $0.keys = keys }
        let (old, new) = ([("Authorization", "Bearer \(key)")], [("Authorization", "Bearer one-that-is-new")])
        #expect(try client.send("GET", "/v1/models", old).status == 200)
        #expect(try client.send("GET", "/v1/models", new).status == 401)
        keys.replace(with: ["one-that-is-new"])
        #expect(try client.send("GET", "/v1/models", old).status == 401)
        #expect(try client.send("GET", "/v1/models", new).status == 200)
    }

    @Test func withoutKeysNoneIsAsked() throws {
        #expect(try Client().get("/v1/models").status == 200)
        #expect(try Client().get("/nowhere").status == 404)
    }
}
