import Dispatch
import HTTPServer
import HTTPWire
import JSON
import Patience
import Synchronization
import Testing

@testable import Batching
@testable import TokenService

@Suite(.timeLimit(.minutes(5))) struct LoadTests {
    /// A request whose run is held at the gate.
    private func held(_ client: Client) throws -> Pending {
        client.gate.close()
        let pending = client.start("POST", "/v1/encode", [], png(1))
        try #require(client.gate.awaitArrival())
        return pending
    }

    @Test func aFullQueueRefusesAndRecovers() throws {
        let client = try Client { $0.limits.queuedImages = 2 }
        let first = try held(client)
        let second = client.start("POST", "/v1/encode", [], png(2))
        #expect(client.service.admission.images == 2)
        let refused = try client.post("/v1/encode", "image/png", png(3))
        #expect(refused.status == 429)
        #expect(try error(refused, "code") == "queue_full")
        #expect(refused.headers.first("Retry-After") == "1")
        // Places come before decoding: these bytes are not looked at.
        #expect(try client.post("/v1/encode", "image/png", [1, 2, 3]).status == 429)
        #expect(try client.get("/health/ready").status == 200)
        client.gate.open()
        #expect(try first.get().status == 200)
        #expect(try second.get().status == 200)
        #expect(client.service.admission.images == 0)
        #expect(try client.post("/v1/encode", "image/png", png(3)).status == 200)
    }

    @Test func imagesAreCountedNotRequests() throws {
        let client = try Client { $0.limits.queuedImages = 3 }
        let first = try held(client)
        let list = repeatElement("\"\(base64(png(1)))\"", count: 3).joined(separator: ",")
        let refused = try client.post("/v1/encode", json: "{\"input\":[\(list)]}")
        #expect(refused.status == 429)
        #expect(client.service.admission.images == 1)
        let undecodable = repeatElement("\"\(base64([1, 2, 3]))\"", count: 3).joined(separator: ",")
        #expect(try client.post("/v1/encode", json: "{\"input\":[\(undecodable)]}").status == 429)
        let decoding = try client.post("/v1/decode", json: #"{"tokens":[[1,2,3,4],[1,2,3,4],[1,2,3,4]]}"#)
        #expect(decoding.status == 429)
        client.gate.open()
        #expect(try first.get().status == 200)
        #expect(try client.post("/v1/encode", json: "{\"input\":[\(list)]}").status == 200)
        #expect(client.service.admission.images == 0)
    }

    @Test func whoWouldWaitTooLongIsRefused() throws {
        let client = try Client { configuration in
            configuration.longestWait = .seconds(8)
            configuration.maxBatch = 2
        }
        client.service.admission.observe(.seconds(6), of: WorkKind(.encode, model: "m"))
        let first = try held(client)
        let second = client.start("POST", "/v1/encode", [], png(2))
        let refused = try client.post("/v1/encode", "image/png", png(3))
        #expect(refused.status == 429)
        #expect(refused.headers.first("Retry-After") == "4")
        let message = "the queue has no room for this request: it takes 256 images, and no more than 8 s of work"
        #expect(try error(refused, "message") == message)
        client.gate.open()
        #expect(try first.get().status == 200)
        #expect(try second.get().status == 200)
        #expect(client.service.admission.work == .zero)
        #expect(try client.post("/v1/encode", "image/png", png(3)).status == 200)
    }

    @Test func refusalsGiveTheirPlacesBack() throws {
        let client = try Client { $0.limits.queuedImages = 1 }
        for _ in 0..<5 {
            #expect(try client.post("/v1/encode", "image/png", [1, 2, 3]).status == 415)
            #expect(try client.post("/v1/decode", json: "{").status == 400)
        }
        #expect(client.service.admission.images == 0)
    }

    @Test func deadlinesEndWhatHasNotRun() throws {
        let client = try Client()
        let first = try held(client)
        let late = client.start("POST", "/v1/encode", [("X-Request-Timeout-Ms", "30")], png(2))
        let response = try late.get()
        #expect(response.status == 504)
        #expect(try error(response, "code") == "deadline_exceeded")
        // The engine is still held: the answer didn't wait for it.
        #expect(!first.hasAnswer)
        client.gate.open()
        #expect(try first.get().status == 200)
        #expect(client.service.admission.images == 0)
    }

    /// The operator's limit in seconds, the request's field, what counts in milliseconds.
    @Test(arguments: [
        (1, "5000", 1000), (1, "999999999", 1000), (60, "60001", 60_000), (2, "2000", 2000), (2, "1999", 1999),
        (60, "1", 1), (86_400, "86400000", 86_400_000), (3, nil, 3000),
    ])
    func theSmallerTimeoutCounts(limit: Int, field: String?, milliseconds: Int) throws {
        let client = try Client(loads: false) { $0.requestTimeout = .seconds(limit) }
        let headers = field.map { [("X-Request-Timeout-Ms", $0)] } ?? []
        #expect(
            try client.service.timeout(of: Client.head("POST", "/v1/encode", headers)) == .milliseconds(milliseconds))
    }

    /// A request that gives itself longer than the operator does is late with those that came after it.
    @Test func aLongerTimeoutOfARequestsOwnIsCut() throws {
        let client = try Client { $0.requestTimeout = .seconds(4) }
        client.gate.close()
        let running = client.start("POST", "/v1/encode", [], png(1))
        try #require(client.gate.awaitArrival())
        let patient = client.start("POST", "/v1/encode", [("X-Request-Timeout-Ms", "999999999")], png(2))
        #expect(try client.start("POST", "/v1/encode", [], png(3)).get().status == 504)
        // Expired together with the one before, if not earlier; a later one is told after them both.
        let last = client.start("POST", "/v1/encode", [("X-Request-Timeout-Ms", "30")], png(3))
        #expect(try last.get().status == 504)
        try #require(patient.hasAnswer)
        #expect(try patient.get().status == 504)
        client.gate.open()
        #expect(try running.get().status == 200)
    }

    @Test func deadlinesSpareWhatIsRunning() throws {
        let client = try Client { $0.requestTimeout = .seconds(8) }
        client.gate.close()
        let pending = client.start("POST", "/v1/encode", [("X-Request-Timeout-Ms", "5000")], png(1))
        try #require(client.gate.awaitArrival())
        let later = client.start("POST", "/v1/encode", [], png(2))
        #expect(try later.get().status == 504)
        #expect(!pending.hasAnswer)
        client.gate.open()
        #expect(try pending.get().status == 200)
    }

    @Test func deadlinesSpareTheOtherImagesOfWhatIsRunning() throws {
        let client = try Client { $0.preprocessingWidth = 1 }
        client.gate.close()
        let list = "[\"\(base64(png(1)))\",\"\(base64(png(2)))\"]"
        let headers = [("Content-Type", "application/json"), ("X-Request-Timeout-Ms", "5000")]
        let start = ContinuousClock.now
        let pending = client.start("POST", "/v1/encode", headers, Array("{\"input\":\(list)}".utf8))
        try #require(client.gate.awaitArrival())
        #expect(eventually { .now - start > .milliseconds(5100) })
        // Drops nothing of it, whether the second still waits or has been taken together with the first.
        client.service.engine.sweep()
        client.gate.open()
        let response = try pending.get()
        #expect(response.status == 200)
        let answer = try JSONValue.parse(response.body)
        #expect(answer["data"]?[0]?["tokens"] == [1, 1, 1, 1])
        #expect(answer["data"]?[1]?["tokens"] == [2, 2, 2, 2])
    }

    @Test func preprocessingGoesOnOnceTheFirstImageHasBegun() throws {
        let client = try Client(loads: false)
        func exchange() throws -> Exchange {
            let exchange = Exchange(client.service, Client.head("POST", "/v1/encode", []), peer: nil)
            try exchange.enterQueue(timeout: .seconds(1))
            return exchange
        }
        let (begun, other) = (try exchange(), try exchange())
        let deadline = ContinuousClock.now + .seconds(1)
        try #require(begun.cancellation.begin())
        try begun.checkAlive()
        #expect(eventually { other.cancellation.isCancelled })
        #expect(!begun.cancellation.isCancelled)
        #expect(eventually { deadline < .now })
        try begun.checkAlive()
        #expect(throws: ServiceError.self) { try other.checkAlive() }
    }

    @Test func whatExpiresLeavesTheQueueAtOnce() throws {
        let client = try Client()
        let first = try held(client)
        let late = client.start("POST", "/v1/encode", [("X-Request-Timeout-Ms", "5000")], png(2))
        #expect(eventually { client.service.engine.waiting == 1 })
        #expect(try late.get().status == 504)
        #expect(eventually { client.service.engine.waiting == 0 })
        #expect(!first.hasAnswer)
        client.gate.open()
        #expect(try first.get().status == 200)
    }

    @Test func codebooksAreMadeOneAtATime() throws {
        let client = try Client()
        let first = try held(client)
        let path = "/v1/models/m/codebook"
        let made = client.start("GET", path)
        #expect(eventually { client.service.engine.waiting == 1 })
        for method in ["GET", "HEAD"] {
            let refused = try client.send(method, path)
            #expect(refused.status == 429)
            #expect(try error(refused, "code") == "codebook_busy")
            #expect(refused.headers.first("Retry-After") == "1")
        }
        // The places of those that were refused are free again.
        #expect(client.service.admission.images == 2)
        client.gate.open()
        #expect(try first.get().status == 200)
        #expect(try made.get().status == 200)
        for _ in 0..<5 { #expect(try client.get(path).status == 200) }
    }

    @Test func aCodebookThatIsNotMadeGivesItsPlaceBack() throws {
        let client = try Client()
        let first = try held(client)
        let late = client.start("GET", "/v1/models/m/codebook", [("X-Request-Timeout-Ms", "100")])
        #expect(try late.get().status == 504)
        #expect(eventually { client.service.codebooks.images == 0 })
        client.gate.open()
        #expect(try first.get().status == 200)
        #expect(try client.get("/v1/models/m/codebook").status == 200)
    }

    @Test func theWorkOfACancelledRequestIsDropped() throws {
        let client = try Client()
        let first = try held(client)
        let gone = client.start("POST", "/v1/encode", [], png(2))
        #expect(eventually { client.service.engine.waiting > 0 })
        gone.cancel()
        #expect(client.service.engine.waiting == 0)
        #expect(!first.hasAnswer)
        client.gate.open()
        #expect(try first.get().status == 200)
        #expect(!gone.hasAnswer)
        // Nothing holds its place once its response is released.
        #expect(eventually { client.service.admission.images == 0 })
        #expect(try client.post("/v1/encode", "image/png", png(3)).status == 200)
    }

    @Test func batchMatesOfACancelledRequestAreUnharmed() throws {
        let client = try Client()
        let first = try held(client)
        let pendings = (0..<6).map { client.start("POST", "/v1/encode", [], png(UInt8($0))) }
        #expect(eventually { client.service.engine.waiting == 6 })
        pendings[1].cancel()
        pendings[4].cancel()
        client.gate.open()
        #expect(try first.get().status == 200)
        for index in [0, 2, 3, 5] {
            let tokens = try JSONValue.parse(try pendings[index].get().body)["data"]?[0]?["tokens"]?[0]?.intValue
            #expect(tokens == index)
        }
    }

    @Test func nothingIsServedBeforeTheModelsAreLoaded() throws {
        let client = try Client(loads: false)
        for (method, target) in [("POST", "/v1/encode"), ("POST", "/v1/decode"), ("GET", "/v1/models")] {
            let response = try client.send(method, target, [("Content-Type", "application/json")], Array("{}".utf8))
            #expect(response.status == 503)
            #expect(try error(response, "code") == "loading")
            #expect(response.headers.first("Retry-After") == "2")
        }
    }

    @Test func aStopServesWhatWasAccepted() throws {
        let client = try Client()
        let accepted = try held(client)
        client.service.beginDrain()
        let stillServed = client.start("POST", "/v1/encode", [], png(2))
        client.service.refuseRequests()
        let refused = try client.post("/v1/encode", "image/png", png(3))
        #expect(refused.status == 503)
        #expect(try error(refused, "code") == "draining")
        #expect(refused.headers.all("Connection") == ["close"])
        #expect(try client.get("/health/live").status == 200)
        #expect(eventually { client.service.engine.waiting > 0 })
        let ended = DispatchSemaphore(value: 0)
        client.service.finish(grace: .seconds(30)) { lost in
            #expect(lost == 0)
            ended.signal()
        }
        client.gate.open()
        let answer = try accepted.get()
        #expect(answer.status == 200)
        #expect(answer.headers.all("Connection") == ["close"])
        #expect(try stillServed.get().status == 200)
        #expect(ended.comes())
        #expect(client.service.engine.state == .stopped)
    }

    @Test func manyAtOnceGetTheirOwnAnswers() throws {
        let client = try Client()
        let pendings = (0..<200).map { client.start("POST", "/v1/encode", [], png(UInt8($0 & 15))) }
        for (index, pending) in pendings.enumerated() {
            let tokens = try JSONValue.parse(try pending.get().body)["data"]?[0]?["tokens"]?[0]?.intValue
            #expect(tokens == index & 15)
        }
        #expect(client.service.admission.images == 0)
    }
}
