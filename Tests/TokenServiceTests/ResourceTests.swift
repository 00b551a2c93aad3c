import HTTPWire
import JSON
import Testing

@testable import TokenService

/// What stays the same between requests: entity tags, the interface's contract, the contract of tokens.
@Suite(.timeLimit(.minutes(5))) struct ResourceTests {
    @Test(arguments: ["/v1/models", "/v1/models/m", "/v1/models/m/codebook", "/openapi.yaml", "/openapi.json"])
    func whatTheClientHasIsNotSentAgain(path: String) throws {
        let client = try Client()
        let whole = try client.get(path)
        let tag = try #require(whole.headers.first("ETag"))
        #expect(tag.hasPrefix("\"") && tag.hasSuffix("\"") && tag.utf8.count > 2)
        #expect(try client.get(path).headers.first("ETag") == tag)
        for condition in [tag, "W/\(tag)", "\"x\", \(tag)", "\"a,b\" ,W/\"c\",\(tag)", "*"] {
            for method in ["GET", "HEAD"] {
                let response = try client.send(method, path, [("If-None-Match", condition)])
                #expect(response.status == 304, "\(condition)")
                #expect(response.body.isEmpty)
                #expect(response.headers.first("ETag") == tag)
                #expect(response.headers.first("X-Request-Id") != nil)
            }
        }
        for condition in ["\"x\"", String(tag.dropLast()), String(tag.dropFirst().dropLast()), "", "\"", "\"*\""] {
            let response = try client.send("GET", path, [("If-None-Match", condition)])
            #expect(response.status == 200, "\(condition)")
            #expect(response.body == whole.body)
        }
    }

    @Test func otherModelsHaveOtherTags() throws {
        let (one, two) = (try Client(), try Client([("m", .books)]))
        for path in ["/v1/models", "/v1/models/m", "/v1/models/m/codebook"] {
            #expect(try one.get(path).headers.first("ETag") != two.get(path).headers.first("ETag"))
        }
    }

    @Test(arguments: ["/health/live", "/metrics"]) func whatChangesHasNoTag(path: String) throws {
        let response = try Client().send("GET", path, [("If-None-Match", "*")])
        #expect(response.status == 200)
        #expect(response.headers.first("ETag") == nil)
    }

    @Test func theInterfaceIsTold() throws {
        let client = try Client(loads: false)
        let yaml = try client.get("/openapi.yaml")
        #expect(yaml.headers.first("Content-Type") == "application/yaml")
        #expect(text(yaml).hasPrefix("openapi: 3.1."))
        let json = try JSONValue.parse(client.get("/openapi.json").body)
        #expect(json["info"]?["version"]?.stringValue == TokenService.version)
        let paths = try #require(json["paths"]?.objectValue?.names)
        #expect(paths.contains("/v1/encode") && paths.contains("/openapi.json"))
        for path in paths { #expect(text(yaml).contains("\n  \(path):\n")) }
    }

    /// Same fingerprint, same image, same tokens: options that may change tokens change it.
    @Test func optionsHaveContractsOfTheirOwn() throws {
        let client = try Client()
        func contract(_ query: String) throws -> String {
            let response = try client.post("/v1/encode\(query)", "image/png", png(5))
            let told = try JSONValue.parse(response.body)["contract"]?.stringValue
            #expect(response.headers.first("X-Tessera-Contract") == told)
            return try #require(told)
        }
        for query in ["", "?assignment=sinkhorn", "?exif=apply", "?alpha=white&margin=true", "?id_space=global"] {
            #expect(try contract(query) == "aa11")
        }
        let queries = [
            "?assignment=nearest", "?exif=ignore", "?alpha=black", "?alpha=drop", "?assignment=nearest&alpha=drop",
        ]
        let others = try queries.map(contract)
        #expect(Set(others + ["aa11"]).count == 6)
        #expect(try contract("?assignment=nearest") == others[0])
        for other in others {
            #expect(other.utf8.count == 64)
            let body = #"{"tokens":[1,2,3,4],"contract":"\#(other)"}"#
            #expect(try client.post("/v1/decode", json: body).status == 200)
            #expect(try Client([("m", .books)]).post("/v1/decode", json: body).status == 409)
        }
        let reconstruction = try client.post("/v1/reconstruct?exif=ignore", "image/png", png(5))
        #expect(reconstruction.headers.first("X-Tessera-Contract") == others[1])
    }

    @Test(arguments: ["0x1", "inf", "nan", "1e", ".5", "5.", "+1", "\"1\"", "1_0"])
    func aQuerysNumbersAreWrittenAsInJSON(text: String) throws {
        let body: [UInt8] = [1, 0, 2, 0, 3, 0, 4, 0]
        let response = try Client().post("/v1/decode?temperature=\(text)", "application/octet-stream", body)
        #expect(response.status == 400)
        #expect(try error(response, "code") == "invalid_option")
        let good = try Client().post("/v1/decode?temperature=1.5e1", "application/octet-stream", body)
        #expect(good.status == 200)
    }
}
