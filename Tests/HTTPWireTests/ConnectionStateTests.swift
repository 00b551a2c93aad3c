import HTTPWire
import Testing

private let get = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
private let ok = HTTPResponse(status: 200, body: Array("fine".utf8))

struct ExchangeTests {
    @Test func pipelinedRequestsAreHandedOverOneByOne() {
        var bench = Bench()
        bench.send(
            "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(bench.requests.map(\.head.path) == ["/1"])
        #expect(!bench.state.wantsInput)
        bench.answer(ok)
        #expect(bench.requests.map(\.head.path) == ["/1", "/2"])
        bench.answer(ok)
        bench.answer(ok)
        #expect(bench.requests.map(\.head.path) == ["/1", "/2", "/3"])
        #expect(bench.statuses == [200, 200, 200])
        #expect(bench.state.wantsInput)
    }

    @Test func theNextRequestIsNotParsedBeforeTheAnswerIsWritten() {
        var bench = Bench()
        bench.takesBytes = false
        bench.send(get + get)
        bench.answer(ok)
        #expect(bench.requests.count == 1)
        bench.wrote(bench.output.count - 1)
        #expect(bench.requests.count == 1)
        bench.wrote(1)
        #expect(bench.requests.count == 2)
    }

    @Test func aSecondAnswerIsIgnored() {
        var bench = Bench()
        bench.send(get)
        bench.answer(ok)
        bench.answer(ok)
        #expect(bench.statuses == [200])
    }

    @Test func headHasTheLengthOfTheBodyItLeavesOut() {
        var bench = Bench()
        bench.send("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n" + get)
        bench.answer(ok)
        #expect(bench.text.hasSuffix("\r\nContent-Length: 4\r\n\r\n"))
        bench.answer(ok)
        #expect(bench.text.hasSuffix("\r\nContent-Length: 4\r\n\r\nfine"))
    }

    @Test func aRefusedHeadHasNoBody() {
        var bench = Bench(policy: TestPolicy(refused: ["/no": HTTPResponse(status: 404, body: [1, 2, 3])]))
        bench.send("HEAD /no HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(bench.text.hasSuffix("\r\nContent-Length: 3\r\n\r\n"))
    }

    @Test(arguments: [
        ("HTTP/1.1", "", true, ""), ("HTTP/1.1", "close", false, "close"), ("HTTP/1.1", "Close", false, "close"),
        ("HTTP/1.1", "keep-alive", true, ""), ("HTTP/1.1", "x, close", false, "close"),
        ("HTTP/1.0", "", false, "close"), ("HTTP/1.0", "keep-alive", true, "keep-alive"),
        ("HTTP/1.0", "Keep-Alive, x", true, "keep-alive"), ("HTTP/1.0", "keep-alive, close", false, "close"),
    ])
    func keepAlive(_ version: String, _ option: String, _ isKept: Bool, _ answered: String) {
        var bench = Bench()
        bench.send("GET / \(version)\r\nHost: a\r\nConnection: \(option)\r\n\r\n")
        bench.answer(ok)
        #expect(bench.hasFinishedWriting == !isKept)
        #expect(bench.text.contains("\r\nConnection: ") == !answered.isEmpty)
        #expect(answered.isEmpty || bench.text.contains("\r\nConnection: \(answered)\r\n"))
    }

    @Test func aHandlerMayClose() {
        var bench = Bench()
        bench.send(get)
        bench.answer(HTTPResponse(status: 503, headers: ["Connection": "close"]))
        #expect(bench.hasFinishedWriting)
        #expect(bench.text.split(separator: "Connection: close").count == 2)
    }
}

struct ExpectTests {
    private let head = "POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 4\r\n\r\n"

    @Test func anAcceptedBodyIsAskedFor() {
        var bench = Bench()
        bench.send(head)
        #expect(bench.text == "HTTP/1.1 100 Continue\r\n\r\n")
        bench.send("body")
        bench.answer(ok)
        #expect(bench.statuses == [100, 200])
        #expect(bench.requests.first?.body == Array("body".utf8))
        #expect(!bench.hasFinishedWriting)
    }

    /// The body may follow all the same: only closing tells where the next request would be.
    @Test func aRefusedBodyIsNot() {
        var bench = Bench(policy: TestPolicy(refused: ["/x": HTTPResponse(status: 404)]))
        bench.send(head)
        #expect(bench.statuses == [404])
        #expect(bench.hasFinishedWriting)
        bench.send(get)
        #expect(bench.statuses == [404])
    }

    @Test func aBodyOverTheLimitIs413InPlaceOf100() {
        var bench = Bench(policy: TestPolicy(limit: 3))
        bench.send(head)
        #expect(bench.statuses == [413])
    }

    @Test(arguments: ["Content-Length: 0\r\n", ""])
    func withoutABodyThereIsNothingToAskFor(_ field: String) {
        var bench = Bench()
        bench.send("POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\(field)\r\n")
        #expect(bench.output.isEmpty)
        #expect(bench.requests.count == 1)
    }

    @Test func aBodyThatCameAlongIsTakenToo() {
        var bench = Bench(answersAtOnce: true)
        bench.send(head + "body" + get)
        #expect(bench.statuses == [100, 200, 200])
    }

    @Test func http10DoesNotExpect() {
        var bench = Bench()
        bench.send("POST /x HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
        #expect(bench.output.isEmpty)
    }

    @Test func chunkedExpects() {
        var bench = Bench()
        bench.send("POST /x HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nTransfer-Encoding: chunked\r\n\r\n")
        #expect(bench.statuses == [100])
    }
}

struct RefusalTests {
    private let policy = TestPolicy(limit: 10, refused: ["/no": HTTPResponse(status: 404)])

    @Test func aShortRefusedBodyIsReadAndTheConnectionKept() {
        var bench = Bench(policy: policy)
        bench.send("POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo")
        #expect(bench.statuses.isEmpty)
        bench.send("dy" + get)
        #expect(bench.statuses == [404])
        #expect(bench.requests.map(\.head.path) == ["/x"])
    }

    @Test(arguments: ["Content-Length: 65537", "Transfer-Encoding: chunked"])
    func aLongRefusedBodyCostsTheConnection(_ field: String) {
        var bench = Bench(policy: policy)
        bench.send("POST /no HTTP/1.1\r\nHost: a\r\n\(field)\r\n\r\n")
        #expect(bench.statuses == [404])
        #expect(bench.hasFinishedWriting)
        bench.send(get)
        #expect(bench.requests.isEmpty)
    }

    @Test(arguments: [(10, 200), (11, 413)])
    func theHandlersLimitHolds(_ length: Int, _ status: Int) {
        for chunked in [false, true] {
            var bench = Bench(policy: policy, answersAtOnce: true)
            let body = String(repeating: "x", count: length)
            bench.send(
                "POST /p HTTP/1.1\r\nHost: a\r\n"
                    + (chunked
                        ? "Transfer-Encoding: chunked\r\n\r\n\(String(length, radix: 16))\r\n\(body)\r\n0\r\n\r\n"
                        : "Content-Length: \(length)\r\n\r\n\(body)"))
            #expect(bench.statuses == [status])
        }
    }

    /// One request's limit isn't the next one's.
    @Test func theLimitIsPerRequest() {
        var bench = Bench(policy: TestPolicy(limit: 5), answersAtOnce: true)
        let post = "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
        bench.send(post + post + get)
        #expect(bench.statuses == [200, 200, 200])
    }
}

struct EndTests {
    @Test func finBetweenRequestsCloses() {
        var bench = Bench(answersAtOnce: true)
        bench.send(get)
        bench.finishInput()
        #expect(bench.isClosed)
        #expect(bench.statuses == [200])
    }

    @Test(arguments: [
        "GET / HT", "GET / HTTP/1.1\r\nHost: a\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe",
    ])
    func finInsideARequestIs400(_ text: String) {
        var bench = Bench()
        bench.send(text)
        bench.finishInput()
        #expect(bench.statuses == [400])
        #expect(bench.isClosed)
        #expect(bench.requests.isEmpty)
    }

    @Test func aHalfClosedClientGetsAllItsAnswers() {
        var bench = Bench()
        bench.send(get + get)
        bench.finishInput()
        bench.answer(ok)
        #expect(bench.requests.count == 2)
        bench.answer(ok)
        #expect(bench.statuses == [200, 200])
        #expect(bench.isClosed && !bench.wasCancelled)
    }

    @Test func aHalfClosedClientIsProbedOnce() {
        var bench = Bench()
        bench.send(get)
        bench.wait(.seconds(5))
        bench.perform(bench.state.peerHalfClosed(at: bench.moment))
        bench.wait(.seconds(0.25))
        #expect(bench.output.isEmpty)
        bench.wait(.seconds(0.25))
        #expect(bench.statuses == [100])
        bench.perform(bench.state.peerHalfClosed(at: bench.moment))
        bench.wait(.seconds(60))
        bench.answer(ok)
        #expect(bench.statuses == [100, 200])
    }

    @Test func http10IsNotProbed() {
        var bench = Bench()
        bench.send("GET / HTTP/1.0\r\n\r\n")
        bench.finishInput()
        bench.wait(.seconds(60))
        #expect(bench.output.isEmpty)
        bench.answer(ok)
        #expect(bench.statuses == [200])
    }

    @Test func theRequestOfADisconnectedClientIsCancelled() {
        var bench = Bench()
        bench.send(get)
        bench.perform(bench.state.peerDisconnected())
        #expect(bench.wasCancelled && bench.isClosed)
        bench.answer(ok)
        #expect(bench.output.isEmpty)
    }

    @Test func aDisconnectDuringTheResponseCancelsNothing() {
        var bench = Bench()
        bench.takesBytes = false
        bench.send(get)
        bench.answer(ok)
        bench.perform(bench.state.peerDisconnected())
        #expect(bench.isClosed && !bench.wasCancelled)
    }

    @Test func drainClosesAnIdleConnectionSoon() {
        var bench = Bench(answersAtOnce: true)
        bench.send(get)
        bench.drain()
        #expect(!bench.isClosed)
        bench.wait(.seconds(0.5))
        #expect(bench.isClosed)
        #expect(bench.statuses == [200])
    }

    @Test func drainAnswersTheRequestThatWasOnItsWay() {
        var bench = Bench(answersAtOnce: true)
        bench.drain()
        bench.wait(.seconds(0.25))
        bench.send(get + get)
        #expect(bench.statuses == [200])
        #expect(bench.text.contains("\r\nConnection: close\r\n"))
        #expect(bench.hasFinishedWriting)
    }

    @Test func drainLetsABusyConnectionFinish() {
        var bench = Bench()
        bench.send(get + get)
        bench.drain()
        bench.wait(.seconds(20))
        #expect(bench.state.isBusy)
        bench.answer(ok)
        #expect(bench.requests.count == 1)
        #expect(bench.text.contains("\r\nConnection: close\r\n"))
        #expect(!bench.state.isBusy)
        bench.finishInput()
        #expect(bench.isClosed)
    }
}
