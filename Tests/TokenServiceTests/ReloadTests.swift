import Dispatch
import HTTPServer
import HTTPWire
import JSON
import MetricsReader
import Patience
import Testing
import TokenizerCore

@testable import Batching
@testable import TokenFormats
@testable import TokenService

extension TokenContract {
    /// What comes after `steps`: other weights, half the codes.
    fileprivate static let later = make(
        "cc33", perPosition: false, [.nearest], steps: nil, temperature: nil, codebookSize: 8)
}

/// What routes make of a reload, with fake models.
@Suite(.timeLimit(.minutes(5))) struct ReloadTests {
    /// Begins to replace the client's model "m"; the semaphore tells the end.
    private func reload(_ client: Client, _ contract: TokenContract = .later) -> DispatchSemaphore {
        let ended = DispatchSemaphore(value: 0)
        client.service.engine.reload {
            [("m", FakeTokenizer(contract))]
        } completion: { result in
            #expect(throws: Never.self) { try result.get() }
            ended.signal()
        }
        return ended
    }

    private func reloaded(_ client: Client) throws {
        try #require(reload(client).comes())
    }

    /// A request that has one image and its place in the queue.
    private func exchange(_ client: Client) throws -> Exchange {
        let exchange = Exchange(client.service, Client.head("POST", "/v1/encode", []), peer: nil)
        try exchange.enterQueue(timeout: .seconds(60))
        return exchange
    }

    @Test func everyRouteTellsOfTheNewModelAtOnce() throws {
        let client = try Client()
        #expect(try client.post("/v1/encode", "image/png", png(3)).headers.first("X-Tessera-Contract") == "aa11")
        try reloaded(client)
        for target in ["/v1/models/m", "/v1/models/m/codebook"] {
            #expect(try client.get(target).headers.first("X-Tessera-Contract") == "cc33")
        }
        let list = try JSONValue.parse(try client.get("/v1/models").body)
        #expect(list["data"]?[0]?["contract"] == "cc33")
        #expect(list["data"]?[0]?["codebook_size"] == 8)
        let encoded = try client.post("/v1/encode", "image/png", png(3))
        #expect(try JSONValue.parse(encoded.body)["contract"] == "cc33")
        // Its geometry too: an id that the earlier model had, an option that it took.
        #expect(try client.post("/v1/decode", json: #"{"tokens":[9,1,1,1]}"#).status == 422)
        #expect(try client.post("/v1/decode", json: #"{"tokens":[1,1,1,1],"steps":3}"#).status == 400)
        let old = try client.post("/v1/decode", json: #"{"tokens":[1,1,1,1],"contract":"aa11"}"#)
        #expect(old.status == 409)
        #expect(old.headers.first("X-Tessera-Contract") == "cc33")
        #expect(try client.post("/v1/decode", json: #"{"tokens":[1,1,1,1],"contract":"cc33"}"#).status == 200)
    }

    @Test func aCheckedContractIsTheOneThatDecodes() throws {
        let client = try Client()
        client.gate.close()
        let held = client.start("POST", "/v1/encode", [], png(1))
        try #require(client.gate.awaitArrival())
        let body = Array(#"{"tokens":[[9,1,1,1],[10,1,1,1]],"contract":"aa11","steps":3}"#.utf8)
        let queued = client.start("POST", "/v1/decode", [("Content-Type", "application/json")], body)
        #expect(eventually { client.service.engine.waiting == 2 })
        let ended = reload(client)
        client.gate.open()
        #expect(ended.comes())
        #expect(try held.get().headers.first("X-Tessera-Contract") == "aa11")
        // The later model has neither these ids nor steps.
        let answer = try queued.get()
        #expect(answer.status == 200)
        #expect(answer.headers.first("X-Tessera-Contract") == "aa11")
        for index in 0..<2 {
            #expect(try JSONValue.parse(answer.body)["data"]?[index]?["b64_json"]?.stringValue != nil)
        }
    }

    @Test func whatAnEarlierModelFinishesIsItsOwn() async throws {
        let client = try Client()
        func used() throws -> Double? {
            try MetricsPage(text(client.get("/metrics"))).value("tessera_codes_used", ["model": "m"])
        }
        _ = try client.post("/v1/encode", "image/png", png(9))
        #expect(try used() == 1)
        // A request of many pictures: it has its model, and its last picture is still being prepared.
        let model = try client.service.model("m")
        try reloaded(client)
        #expect(try used() == 0)
        let exchange = try exchange(client)
        let image = RGBImage(width: 16, height: 16, pixels: [UInt8](repeating: 10, count: 768))
        let tokens = try await exchange.compute(WorkKind(.encode, model: "m"), on: model) {
            tokenizer throws(TokenizerError) in try tokenizer.encode(image, options: EncodeOptions())
        }
        // The later model has 8 codes only.
        #expect(tokens.ids == [10, 10, 10, 10])
        client.service.metrics.encoded(tokens, by: model)
        #expect(try used() == 0)
        _ = try client.post("/v1/encode", "image/png", png(3))
        #expect(try used() == 1)
    }

    /// What an image of the earlier model does, between those of the later one.
    enum Late: String, CaseIterable {
        case encode, reconstruct, decode, encodeTwice, encodeAndReconstruct

        var operations: [WorkKind.Operation] {
            switch self {
            case .encode: [.encode]
            case .reconstruct: [.reconstruct]
            case .decode: [.decode]
            case .encodeTwice: [.encode, .encode]
            case .encodeAndReconstruct: [.encode, .reconstruct]
            }
        }
    }

    /// Computes by `model`, though another has taken its place, what a request that it was admitted for would.
    private func run(_ operation: WorkKind.Operation, _ grey: UInt8, on model: Engine.Model, _ client: Client)
        async throws
    {
        let exchange = try exchange(client)
        let body = ImageBody(texts: [base64(png(grey))], named: "input")
        switch operation {
        case .encode:
            let images = try await EncodePipeline(
                exchange: exchange, model: model, parameters: EncodeParameters(), body: body
            ).run()
            #expect(try images.values(of: "input").count == 1)
        case .reconstruct:
            _ = try await ReconstructPipeline(
                exchange: exchange, model: model, encode: EncodeParameters(),
                decode: DecodeParameters(), body: body
            ).run()
        case .decode:
            let images = try await DecodePipeline(
                exchange: exchange, model: model, parameters: DecodeParameters(),
                sequences: [[10, 10, 10, 10]], wantsFiles: false
            ).run()
            #expect(try images.values(of: "tokens").count == 1)
        }
    }

    /// The later model's window of codes goes on as if the earlier one's late images had not been.
    @Test(arguments: Late.allCases) func anEarlierModelsImagesLeaveTheLaterOnesWindow(late: Late) async throws {
        let client = try Client()
        func page() throws -> [Double?] {
            let page = try MetricsPage(text(client.get("/metrics")))
            return ["tessera_codes_used", "tessera_code_perplexity"].map { page.value($0, ["model": "m"]) }
        }
        func encode(_ grey: UInt8) throws {
            #expect(try client.post("/v1/encode", "image/png", png(grey)).status == 200)
        }
        try encode(9)
        #expect(try page() == [1, 1])
        let model = try client.service.model("m")
        try reloaded(client)
        // The later model has 8 codes: the fake's tokens of these greys are below them.
        try encode(1)
        try encode(2)
        #expect(try page() == [2, 2])
        for operation in late.operations { try await run(operation, 12, on: model, client) }
        #expect(try page() == [2, 2])
        try encode(3)
        try encode(4)
        #expect(try page() == [4, 4])
    }

    @Test func aServiceThatStopsIsNotReloaded() throws {
        let client = try Client()
        let outcome = DispatchSemaphore(value: 0)
        client.service.beginDrain()
        client.service.reload([]) { result in
            #expect(throws: ReloadFailure.notReady(.draining)) { try result.get() }
            outcome.signal()
        }
        #expect(outcome.comes())
        #expect(try client.get("/v1/models/m").headers.first("X-Tessera-Contract") == "aa11")
    }
}
