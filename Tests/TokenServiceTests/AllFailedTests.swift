import Foundation
import HTTPWire
import JSON
import Logging
import MetricsReader
import Synchronization
import Testing

@testable import TokenService

/// Several images of one request of which none succeeds: the list of their errors, under the status that they share.
@Suite(.timeLimit(.minutes(5))) struct AllFailedTests {
    /// A picture that fails, and the status it has alone.
    enum Bad: Int, CaseIterable {
        case url, base64, dataURL, tooManyPixels, gif, empty, truncated, pixelData

        var status: Int { [400, 400, 400, 413, 415, 415, 422, 422][rawValue] }

        var file: [UInt8] {
            switch self {
            case .gif: Array("GIF89a".utf8)
            case .tooManyPixels: png(1, width: 17, height: 16)
            case .truncated: png(5).dropLast(30)
            case .pixelData: Self.damaged
            case .url, .base64, .dataURL, .empty: []
            }
        }

        var text: String {
            switch self {
            case .url: "http://localhost/a.png"
            case .base64: "%%%%"
            case .dataURL: "data:image/png,abc"
            default: TokenServiceTests.base64(file)
            }
        }

        /// A picture whose compressed pixels don't fit their checksum.
        private static let damaged: [UInt8] = {
            var file = png(5)
            if let start = file.indices.first(where: { file[$0...].starts(with: Array("IDAT".utf8)) }) {
                file[start + 10] ^= 0xFF
            }
            return file
        }()
    }

    private func client() throws -> Client {
        try Client { $0.limits.image.pixels = 256 }
    }

    private static let lists: [(bad: [Bad], status: Int)] = [
        ([.url, .url], 400), ([.url, .base64, .dataURL], 400), ([.tooManyPixels, .tooManyPixels], 413),
        ([.gif, .gif, .gif], 415), ([.gif, .empty], 415), ([.truncated, .pixelData], 422), ([.url, .gif], 422),
        ([.gif, .truncated], 422), ([.tooManyPixels, .gif], 422), ([.truncated, .url, .gif, .tooManyPixels], 422),
        ([.gif, .gif, .gif, .base64], 422),
    ]

    /// What the list says: the same as among images that succeeded.
    private func expectList(_ response: HTTPResponse, _ name: String, _ count: Int, by key: String) throws {
        #expect(response.headers.first("Content-Type") == "application/json")
        #expect(response.headers.first("X-Tessera-Contract") == "aa11")
        let answer = try JSONValue.parse(response.body)
        #expect(answer["error"] == nil)
        let items = try #require(answer["data"]?.arrayValue)
        #expect(items.count == count)
        for (index, item) in items.enumerated() {
            #expect(item["index"] == JSONValue(index))
            #expect(item["error"]?["param"] == .string("\(name)[\(index)]"))
            #expect(item["error"]?["code"]?.stringValue?.isEmpty == false)
            #expect(item[key] == nil)
        }
    }

    /// Each picture's own status holds alone, too: what the lists' are made of.
    @Test(arguments: Bad.allCases) func alone(bad: Bad) throws {
        let response = try client().post("/v1/encode", json: #"{"input":["\#(bad.text)"]}"#)
        #expect(response.status == bad.status)
        #expect(try error(response, "param") == "input[0]")
    }

    @Test(arguments: lists) func encoded(bad: [Bad], status: Int) throws {
        let client = try client()
        let list = bad.map { "\"\($0.text)\"" }.joined(separator: ",")
        let response = try client.post("/v1/encode", json: "{\"input\":[\(list)]}")
        #expect(response.status == status)
        try expectList(response, "input", bad.count, by: "tokens")
        let answer = try JSONValue.parse(response.body)
        #expect(answer.objectValue?.names == ["object", "model", "data", "contract", "usage"])
        #expect(answer["usage"] == ["images": 0, "tokens": 0])
        // With one that succeeds, wherever it stands, the rest is told within a 200.
        let good = TokenServiceTests.base64(png(3))
        for texts in ["\"\(good)\",\(list)", "\(list),\"\(good)\""] {
            #expect(try client.post("/v1/encode", json: "{\"input\":[\(texts)]}").status == 200)
        }
        // An array has no place for errors.
        let array = try client.post("/v1/encode", json: "{\"input\":[\(list)]}", accept: "application/x-npy")
        #expect(array.status == 422)
        #expect(try error(array, "param") == "input[0]")
    }

    @Test(
        arguments: [
            ([.gif, .gif], 415), ([.tooManyPixels, .tooManyPixels], 413), ([.truncated, .truncated], 422),
            ([.gif, .truncated], 422), ([.gif, .tooManyPixels, .truncated], 422), ([.gif, .empty, .gif], 415),
        ] as [([Bad], Int)])
    func encodedFromAForm(bad: [Bad], status: Int) throws {
        var body: [UInt8] = []
        for picture in bad {
            body += Array("--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\"\r\n\r\n".utf8)
            body += picture.file + Array("\r\n".utf8)
        }
        body += Array("--b--\r\n".utf8)
        let response = try client().post("/v1/encode", "multipart/form-data; boundary=b", body)
        #expect(response.status == status)
        try expectList(response, "file", bad.count, by: "tokens")
    }

    @Test(arguments: [
        "[[1,2,3],[1,2,3]]", "[[1,2,3,16],[1,2,3,99]]", "[[1,2,3],[1,2,3,16]]", "[[-1,0,0,0],[0,0,0,-1],[0]]",
        "[[],[1]]", "[[1,2,3,4,5],[99,1,1,1]]",
    ])
    func decoded(tokens: String) throws {
        let client = try client()
        let response = try client.post("/v1/decode", json: "{\"tokens\":\(tokens)}")
        #expect(response.status == 422)
        let count = try #require(try JSONValue.parse(Array(tokens.utf8)).arrayValue?.count)
        try expectList(response, "tokens", count, by: "b64_json")
        #expect(try JSONValue.parse(response.body).objectValue?.names == ["data"])
        let some = try client.post("/v1/decode", json: "{\"tokens\":\(tokens.dropLast()),[1,2,3,4]]}")
        #expect(some.status == 200)
    }

    @Test func metricsAndTheLogCountThatStatus() throws {
        let lines = Mutex<[[String: String]]>([])
        let client = try Client {
            $0.accessLog = AccessLog(
                Logger(label: "test") { _ in Lines { fields in lines.withLock { $0.append(fields) } } })
        }
        let gif = Bad.gif.text
        let requests = [
            ("/v1/encode", #"{"input":["\#(gif)","\#(gif)"]}"#), ("/v1/encode", #"{"input":["\#(gif)","%%%%"]}"#),
            ("/v1/encode", #"{"input":["\#(gif)","\#(TokenServiceTests.base64(png(1)))"]}"#),
            ("/v1/decode", #"{"tokens":[[1],[2]]}"#), ("/v1/decode", #"{"tokens":[[1],[1,2,3,99]]}"#),
            ("/v1/decode", #"{"tokens":[[1],[1,2,3,4]]}"#),
        ]
        let statuses = try requests.map { try client.post($0.0, json: $0.1).status }
        #expect(statuses == [415, 422, 200, 422, 422, 200])
        let page = try MetricsPage(text(client.get("/metrics")))
        let counted = page.family("tessera_http_requests_total")?.samples.map {
            "\($0.labels["route"] ?? "") \($0.labels["code"] ?? "") \(Int($0.value))"
        }
        #expect(
            counted == [
                "/v1/decode 200 1", "/v1/decode 422 2", "/v1/encode 200 1", "/v1/encode 415 1", "/v1/encode 422 1",
            ])
        let logged = lines.withLock { $0 }.filter { $0["path"]?.hasPrefix("/v1") == true }
        #expect(logged.map { $0["status"] } == ["415", "422", "200", "422", "422", "200"])
        // The code, where all items have the same.
        #expect(logged.map { $0["code"] } == ["unsupported_image", nil, nil, "token_count", nil, nil])
    }

    /// Hands over what is logged.
    private struct Lines: LogHandler {
        let take: @Sendable ([String: String]) -> Void
        var logLevel = Logger.Level.info
        var metadata: Logger.Metadata = [:]
        var metadataProvider: Logger.MetadataProvider?

        init(_ take: @escaping @Sendable ([String: String]) -> Void) { self.take = take }

        subscript(metadataKey key: String) -> Logger.MetadataValue? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) { take((event.metadata ?? [:]).mapValues { "\($0)" }) }
    }
}

/// The status of a list by the errors of its items.
@Suite struct ListOutcomeTests {
    @Test(
        arguments: [
            ([200], 200, nil), ([200, 415], 200, nil), ([415, 200, 415], 200, nil), ([415, 415], 415, "c415"),
            ([400, 400, 400], 400, "c400"), ([413, 413], 413, "c413"), ([422, 422], 422, "c422"),
            ([400, 413], 422, nil),
            ([415, 415, 415, 400], 422, nil), ([413, 422], 422, nil),
        ] as [([Int], Int, String?)])
    func isCommon(statuses: [Int], status: Int, code: String?) {
        let results = statuses.map { status -> Result<Int, ServiceError> in
            status == 200 ? .success(1) : .failure(ServiceError(status, "c\(status)", "it failed"))
        }
        let outcome = ListOutcome(of: results)
        #expect(outcome.status == status)
        #expect(outcome.code == code)
    }

    @Test func codesThatDifferAreNone() {
        let errors = ["a", "b"].map { Result<Int, ServiceError>.failure(ServiceError(400, $0, "it failed")) }
        #expect(ListOutcome(of: errors).status == 400)
        #expect(ListOutcome(of: errors).code == nil)
    }
}
