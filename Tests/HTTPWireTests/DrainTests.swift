import HTTPWire
import Testing

private let get = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
private let post = "POST /x HTTP/1.1\r\nHost: a\r\n"
private let ok = HTTPResponse(status: 200, body: Array("fine".utf8))

/// A request of which a part has come when the server stops.
struct BegunRequest: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let begun: String
    let rest: String
    var part = "body"
    /// Interim answers before the last one.
    var interim: [Int] = []

    static let all = [
        BegunRequest(
            testDescription: "request line", begun: "GET /x HT", rest: "TP/1.1\r\nHost: a\r\n\r\n", part: "header"),
        BegunRequest(
            testDescription: "one byte", begun: "G", rest: "ET /x HTTP/1.1\r\nHost: a\r\n\r\n", part: "header"),
        BegunRequest(
            testDescription: "header of an upload", begun: post + "Content-Length: 4\r\n", rest: "\r\nbody",
            part: "header"),
        BegunRequest(testDescription: "no byte of the body", begun: post + "Content-Length: 4\r\n\r\n", rest: "body"),
        BegunRequest(testDescription: "all but a byte", begun: post + "Content-Length: 4\r\n\r\nbod", rest: "y"),
        BegunRequest(
            testDescription: "between chunks", begun: post + "Transfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n",
            rest: "2\r\ndy\r\n0\r\n\r\n"),
        BegunRequest(
            testDescription: "trailers", begun: post + "Transfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n0\r\nA: b\r\n",
            rest: "\r\n"),
        BegunRequest(
            testDescription: "asked to continue", begun: post + "Expect: 100-continue\r\nContent-Length: 4\r\n\r\n",
            rest: "body", interim: [100]),
    ]
}

/// What a stop does to connections.
struct DrainTests {
    @Test(arguments: BegunRequest.all)
    func aRequestThatDoesNotEndIs503(_ request: BegunRequest) {
        var bench = Bench()
        bench.send(request.begun)
        bench.wait(.seconds(3))
        bench.drain()
        bench.wait(.seconds(1.75))
        #expect(bench.statuses == request.interim)
        bench.wait(.seconds(0.25))
        #expect(bench.statuses == request.interim + [503])
        #expect(
            bench.text.hasSuffix(
                "draining: the service is stopping, and the \(request.part) did not end within 2.0 seconds"))
        #expect(bench.text.contains("\r\nConnection: close\r\n"))
        #expect(bench.hasFinishedWriting && bench.state.bodyBytes == 0 && !bench.state.isBusy)
        bench.send(request.rest)
        bench.wait(.seconds(2))
        #expect(bench.isClosed && bench.requests.isEmpty && bench.statuses.count == request.interim.count + 1)
    }

    @Test(arguments: BegunRequest.all)
    func oneThatEndsInTimeIsAnswered(_ request: BegunRequest) {
        var bench = Bench()
        bench.send(request.begun)
        bench.wait(.seconds(3))
        bench.drain()
        bench.wait(.seconds(1.75))
        bench.send(request.rest)
        #expect(bench.requests.count == 1)
        bench.wait(.seconds(30))
        bench.answer(ok)
        #expect(bench.statuses == request.interim + [200])
        #expect(bench.text.contains("\r\nConnection: close\r\n") && bench.hasFinishedWriting)
    }

    /// On a connection that is accepted, or kept, when the server stops already.
    @Test(arguments: BegunRequest.all)
    func oneThatBeginsAfterwardsHasNoMoreTime(_ request: BegunRequest) {
        var bench = Bench()
        bench.drain()
        bench.wait(.seconds(0.25))
        bench.send(request.begun)
        bench.wait(.seconds(1.5))
        #expect(bench.statuses == request.interim)
        bench.wait(.seconds(0.25))
        #expect(bench.statuses == request.interim + [503])
    }

    @Test func bytesThatDribbleGiveNoMoreTime() {
        var bench = Bench()
        bench.send(post + "Content-Length: 100000\r\n\r\n")
        bench.drain()
        for _ in 0..<7 {
            bench.send([UInt8](repeating: 1, count: 4096))
            bench.wait(.seconds(0.25))
        }
        #expect(bench.statuses.isEmpty)
        bench.send([UInt8](repeating: 1, count: 4096))
        bench.wait(.seconds(0.25))
        #expect(bench.statuses == [503])
    }

    /// A limit that ends sooner is told as such.
    @Test(arguments: [("GET / HT", 9.0), (post + "Content-Length: 9\r\n\r\n", 9.0)])
    func itsOwnLimitStands(_ begun: String, _ before: Double) {
        var bench = Bench()
        bench.send(begun)
        bench.wait(.seconds(before))
        bench.drain()
        bench.wait(.seconds(1))
        #expect(bench.statuses == [408])
    }

    @Test func aRefusedShortBodyIsWaitedForNoLonger() {
        var bench = Bench(policy: TestPolicy(refused: ["/no": HTTPResponse(status: 404)]))
        bench.send("POST /no HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbo")
        bench.drain()
        bench.wait(.seconds(2))
        #expect(bench.statuses == [503])
    }

    /// The answer before it said nothing of the stop.
    @Test func theRequestBehindALateAnswerHasItsOwnTime() {
        var bench = Bench()
        bench.takesBytes = false
        bench.send(get)
        bench.answer(ok)
        bench.drain()
        bench.wait(.seconds(20))
        bench.takesBytes = true
        bench.wrote(bench.output.count)
        bench.send(post + "Content-Length: 4\r\n\r\nbo")
        bench.wait(.seconds(1.75))
        #expect(bench.statuses == [200])
        bench.wait(.seconds(0.25))
        #expect(bench.statuses == [200, 503])
    }

    /// When the socket is read once more before the clock is believed.
    @Test(
        arguments: [
            ("", 9.75, 10), ("GET / HT", 9.75, 10), (post + "Content-Length: 4\r\n\r\n", 9.75, 10),
            (get, 100, nil), ("garbage\r\n", 1.75, 2),
        ] as [(String, Double, Double?)])
    func inputIsLackingOnceATickWouldEnd(_ sent: String, _ before: Double, _ due: Double?) {
        var bench = Bench()
        bench.send(sent)
        bench.now += .seconds(before)
        #expect(!bench.state.lacksInput(at: bench.moment))
        guard let due else { return }
        bench.now += .seconds(due - before)
        #expect(bench.state.lacksInput(at: bench.moment))
        #expect(!bench.state.tick(at: bench.moment).isEmpty)
    }

    @Test(arguments: [("", 0.5), ("GET / HT", 2.0), (post + "Content-Length: 4\r\n\r\n", 2.0)])
    func inputIsLackingSoonerWhileItDrains(_ sent: String, _ due: Double) {
        var bench = Bench()
        bench.send(sent)
        bench.drain()
        bench.now += .seconds(due - 0.25)
        #expect(!bench.state.lacksInput(at: bench.moment))
        bench.now += .seconds(0.25)
        #expect(bench.state.lacksInput(at: bench.moment))
        #expect(!bench.state.tick(at: bench.moment).isEmpty)
    }
}
