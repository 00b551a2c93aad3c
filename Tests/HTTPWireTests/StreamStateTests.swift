import HTTPWire
import Testing

private let get = "GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
private let start = HTTPResponse(status: 200, headers: ["Content-Type": "text/plain"])

extension Bench {
    fileprivate mutating func beginStream(_ response: HTTPResponse = start) {
        perform(state.beginStream(response, at: moment))
    }

    fileprivate mutating func stream(_ text: String) { perform(state.streamed(Array(text.utf8), at: moment)) }

    fileprivate mutating func endStream() { perform(state.endStream(at: moment)) }
}

struct StreamStateTests {
    @Test func piecesAreChunks() {
        var bench = Bench()
        bench.send(get + get)
        bench.beginStream()
        bench.stream("hello")
        bench.stream("")
        bench.stream(String(repeating: "x", count: 16))
        #expect(bench.requests.count == 1)
        bench.endStream()
        let body = "5\r\nhello\r\n10\r\nxxxxxxxxxxxxxxxx\r\n0\r\n\r\n"
        #expect(bench.text.contains("\r\nTransfer-Encoding: chunked\r\n\r\n" + body))
        #expect(!bench.text.contains("Content-Length") && !bench.text.contains("Connection"))
        #expect(bench.requests.count == 2)
    }

    @Test func theResponsesOwnBodyIsTheFirstPiece() {
        var bench = Bench()
        bench.send(get)
        bench.beginStream(HTTPResponse(status: 200, body: Array("first".utf8)))
        bench.endStream()
        #expect(bench.text.hasSuffix("\r\n\r\n5\r\nfirst\r\n0\r\n\r\n"))
    }

    @Test(arguments: ["", "keep-alive"]) func http10IsDelimitedByClosing(_ option: String) {
        var bench = Bench()
        bench.send("GET / HTTP/1.0\r\nConnection: \(option)\r\n\r\n")
        bench.beginStream()
        bench.stream("one")
        bench.stream("two")
        #expect(!bench.hasFinishedWriting)
        bench.endStream()
        #expect(bench.text.hasSuffix("\r\nConnection: close\r\n\r\nonetwo"))
        #expect(bench.hasFinishedWriting)
    }

    @Test func headGetsNoPiece() {
        var bench = Bench()
        bench.send("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n" + get)
        bench.beginStream()
        let drained = bench.drainedStreams
        bench.stream("one")
        #expect(bench.drainedStreams == drained + 1)
        bench.endStream()
        #expect(bench.text.hasSuffix("\r\n\r\n"))
        #expect(bench.requests.count == 2)
    }

    @Test func itTellsWhenAPieceHasBeenTaken() {
        var bench = Bench()
        bench.takesBytes = false
        bench.send(get)
        bench.beginStream()
        bench.wrote(bench.output.count)
        #expect(bench.drainedStreams == 1)
        let before = bench.output.count
        bench.stream("hello")
        bench.wrote(bench.output.count - before - 1)
        #expect(bench.drainedStreams == 1)
        bench.wrote(1)
        #expect(bench.drainedStreams == 2)
    }

    /// Only what waits to be read is timed: the producer may take its time.
    @Test func aSilentProducerIsNotTimedButAReaderIs() {
        var bench = Bench()
        bench.send(get)
        bench.beginStream()
        bench.wait(.seconds(600))
        #expect(!bench.isClosed)
        bench.takesBytes = false
        bench.stream("hello")
        bench.wait(.seconds(29.75))
        #expect(!bench.isClosed)
        bench.wait(.seconds(0.25))
        #expect(bench.isClosed && bench.wasCancelled)
    }

    @Test func aDisconnectCancelsTheStream() {
        var bench = Bench()
        bench.send(get)
        bench.beginStream()
        bench.perform(bench.state.peerDisconnected())
        #expect(bench.isClosed && bench.wasCancelled)
        let length = bench.output.count
        bench.stream("late")
        bench.endStream()
        #expect(bench.output.count == length)
    }

    @Test func aDrainClosesBehindTheStream() {
        var bench = Bench()
        bench.send(get + get)
        bench.beginStream()
        bench.drain()
        bench.stream("hello")
        bench.endStream()
        #expect(bench.requests.count == 2)
    }

    @Test func aStreamBegunWhileDrainingCloses() {
        var bench = Bench()
        bench.send(get + get)
        bench.drain()
        bench.beginStream()
        bench.endStream()
        #expect(bench.text.contains("\r\nConnection: close\r\n"))
        #expect(bench.requests.count == 1 && bench.hasFinishedWriting)
    }

    @Test func withoutARequestThereIsNoStream() {
        var bench = Bench()
        bench.beginStream()
        bench.stream("x")
        bench.endStream()
        #expect(bench.output.isEmpty)
    }
}

struct DisconnectStateTests {
    @Test func aDisconnectEndsAWaitingRequest() {
        var bench = Bench()
        bench.send(get)
        #expect(bench.state.isWaiting && bench.state.isBusy)
        bench.perform(bench.state.peerDisconnected())
        #expect(bench.state.isClosed && !bench.state.isBusy && !bench.state.wantsInput)
    }
}
