import HTTPWire
import Testing

@testable import TokenService

private let page = "https://example.org"

/// What pages of other origins get.
@Suite(.timeLimit(.minutes(5))) struct CrossOriginTests {
    private func open() throws -> Client { try Client { $0.corsOrigins = [page, "http://localhost:3000"] } }

    @Test(arguments: [
        ("https://example.org", "https://example.org"), ("HTTPS://Example.ORG", "https://example.org"),
        ("https://example.org:443", "https://example.org"), ("http://example.org:80", "http://example.org"),
        ("http://example.org:443", "http://example.org:443"), ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:8080", "http://[::1]:8080"), ("http://[::1]", "http://[::1]"),
        ("http://127.0.0.1:08080", "http://127.0.0.1:8080"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"), ("capacitor://localhost", "capacitor://localhost"),
    ])
    func originsAreWrittenAsBrowsersDo(text: String, expected: String) {
        #expect(CrossOrigin.normalized(text) == expected)
    }

    @Test(arguments: [
        "*", "null", "", "example.org", "https://", "https://example.org/", "https://example.org/path",
        "https://example.org?x", "https://*.example.org", "https://user@example.org", "https://example.org:",
        "https://example.org:0", "https://example.org:65536", "https://example.org:x", "https://a b", "://example.org",
        "1http://example.org", "https://exämple.org", "https://[::1", "https://[]", "https://a,https://b",
        "https://example.org\r\nx",
    ])
    func whatIsNoOriginIsRefused(text: String) {
        #expect(CrossOrigin.normalized(text) == nil)
    }

    @Test func answersMayBeRead() throws {
        let client = try open()
        let origin = [("Origin", page)]
        let answers = [
            try client.send("GET", "/v1/models", origin), try client.send("GET", "/nowhere", origin),
            try client.send("POST", "/v1/encode", origin + [("Content-Type", "image/png")], png(5)),
            try client.send("POST", "/v1/encode", origin + [("Content-Type", "image/png")], Array("GIF89a".utf8)),
            client.service.response(
                to: HTTPWireError(status: 413, code: "body_too_large", message: ""),
                head: Client.head("POST", "/v1/encode", origin), peer: nil),
        ]
        #expect(answers.map(\.status) == [200, 404, 200, 415, 413])
        for answer in answers {
            #expect(answer.headers.all("Access-Control-Allow-Origin") == [page])
            #expect(answer.headers.all("Vary") == ["Origin"])
            let exposed = answer.headers.list("Access-Control-Expose-Headers")
            for name in [
                "x-request-id", "server-timing", "x-tessera-contract", "x-tessera-psnr", "etag", "retry-after",
            ] {
                #expect(exposed.contains(name))
            }
        }
    }

    @Test(arguments: ["https://example.com", "http://example.org", "https://example.org:8443", "null", "*"])
    func othersMayNot(origin: String) throws {
        let client = try open()
        let answer = try client.send("GET", "/v1/models", [("Origin", origin)])
        #expect(answer.status == 200 && answer.headers.first("Access-Control-Allow-Origin") == nil)
        #expect(answer.headers.first("Vary") == "Origin")
        let preflight = try client.send(
            "OPTIONS", "/v1/models", [("Origin", origin), ("Access-Control-Request-Method", "GET")])
        #expect(preflight.headers.first("Access-Control-Allow-Methods") == nil)
    }

    @Test func preflightsNeedNoKeyAndTellNothing() throws {
        let client = try Client {
            $0.corsOrigins = [page]
            $0.keys = APIKeys(["a-key-of-some-length"])
        }
        let asked = [
            ("Origin", page), ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "authorization, content-type"),
        ]
        let answers = try ["/v1/encode", "/health", "/nowhere"].map { try client.send("OPTIONS", $0, asked) }
        for answer in answers {
            #expect(answer.status == 204 && answer.body.isEmpty)
            #expect(answer.headers.first("Access-Control-Allow-Origin") == page)
            #expect(answer.headers.list("Access-Control-Allow-Methods").contains("post"))
            #expect(
                Set(answer.headers.list("Access-Control-Allow-Headers")).isSuperset(of: [
                    "authorization", "content-type",
                ]))
            #expect(answer.headers.first("Access-Control-Max-Age") == "7200")
            #expect(answer.headers.first("Vary") == "Origin")
            #expect(answer.headers.first("Allow") == nil)
        }
        // An ordinary OPTIONS isn't one, and the page may read why it was refused.
        let plain = try client.send("OPTIONS", "/v1/encode", [("Origin", page)])
        #expect(plain.status == 401 && plain.headers.first("Access-Control-Allow-Origin") == page)
    }

    @Test func withoutOriginsNothingChanges() throws {
        let answer = try Client().send("GET", "/v1/models", [("Origin", page)])
        #expect(answer.headers.first("Vary") == nil && answer.headers.first("Access-Control-Allow-Origin") == nil)
    }
}
