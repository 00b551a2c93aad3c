import Dispatch
import Glibc
import HTTPServer
import HTTPWire
import Patience
import SocketClient
import Synchronization
import Testing

@Suite(.serialized) struct ServingTests {
    @Test func aConnectionIsKept() async throws {
        let fixture = try Fixture()
        let client = try fixture.client()
        for path in ["/1", "/2?x=y", "/3"] {
            let answer = try client.get(path)
            #expect(answer.status == 200 && answer.text == path)
            #expect(answer.head.contains("\r\nDate: "))
        }
        #expect(fixture.server.connectionCount >= 1)
        client.end()
        #expect(await fixture.stop() == 0)
        #expect(fixture.server.connectionCount == 0)
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
        let fixture = try Fixture()
        let client = try fixture.client()
        let count = 2000
        let requests = (0..<count).map { "GET /\($0) HTTP/1.1\r\nHost: a\r\n\r\n" }.joined()
        let sender = Thread { try client.send(requests) }
        for number in 0..<count { #expect(try client.read().text == "/\(number)") }
        try sender.join()
        #expect(await fixture.stop() == 0)
    }

    /// Answers given at once, without the handler, mustn't recurse.
    @Test func aRunOfRefusalsIsAnswered() async throws {
        let fixture = try Fixture()
        let client = try fixture.client()
        try client.send(String(repeating: "GET /refuse HTTP/1.1\r\nHost: a\r\n\r\n", count: 1500))
        for _ in 0..<1500 { #expect(try client.read().status == 404) }
        #expect(await fixture.stop() == 0)
    }

    @Test func largeBodiesGoBothWays() async throws {
        let fixture = try Fixture()
        let pattern = (0..<65_521).map { UInt8(truncatingIfNeeded: $0 &* 31 ^ $0 >> 11) }
        let body = Array(repeatElement(pattern, count: 130).joined().prefix(8 << 20))
        let client = try fixture.client()
        try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.count)\r\n\r\n")
        try client.send(body)
        #expect(try client.read().body == body)
        try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for start in stride(from: 0, to: body.count, by: 1 << 20) {
            try client.send("100000\r\n")
            try client.send(Array(body[start..<start + (1 << 20)]))
            try client.send("\r\n")
        }
        try client.send("0\r\n\r\n")
        #expect(try client.read().body == body)
        #expect(await fixture.stop() == 0)
    }

    @Test func aReaderThatPausesIsNotReadFrom() async throws {
        let fixture = try Fixture()
        let client = try fixture.client()
        let size = 16 << 20
        let request = "GET /big?n=\(size) HTTP/1.1\r\nHost: a\r\n\r\n"
        try client.send(request + request + request)
        usleep(500_000)
        #expect(fixture.handler.handled == 1)
        for _ in 0..<3 { #expect(try client.read().body.count == size) }
        #expect(fixture.handler.handled == 3)
        #expect(await fixture.stop() == 0)
    }

    @Test func fewAnswersAreMadeAheadForAClientThatDoesNotRead() async throws {
        let fixture = try Fixture()
        let client = SocketClient()
        var size: Int32 = 4096
        setsockopt(client.descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        try client.connect(to: fixture.address)
        let count = 1000
        try client.send(String(repeating: "GET /big?n=8192 HTTP/1.1\r\nHost: a\r\n\r\n", count: count))
        #expect(eventually { fixture.handler.handled > 0 })
        usleep(500_000)
        // The kernel alone would take megabytes.
        #expect(fixture.handler.handled < 100)
        for _ in 0..<count { #expect(try client.read().body.count == 8192) }
        #expect(await fixture.stop() == 0)
    }

    @Test func bodiesOnTheirWayAreBoundedTogether() async throws {
        var limits = HTTPLimits()
        limits.uploads = 100
        let fixture = try Fixture(limits: limits)
        // As much as there is in one piece, so that who has been asked about has been read.
        let begun = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 60\r\n\r\n" + String(repeating: "b", count: 59)
        let first = try fixture.client()
        try first.send(begun)
        #expect(eventually { fixture.handler.asked == 1 })
        usleep(20_000)
        let second = try fixture.client()
        try second.send(begun)
        let refused = try second.read()
        #expect(refused.status == 429)
        #expect(refused.text == "uploads_full")
        #expect(refused.head.contains("Connection: close"))
        try first.send("b")
        #expect(try first.read().body.count == 60)
        // What was refused, finished or left counts no more.
        for number in 3...5 {
            let leaving = try fixture.client()
            try leaving.send(begun)
            #expect(eventually { fixture.handler.asked == number })
            leaving.end()
            #expect(eventually { fixture.server.connectionCount <= 2 })
        }
        let body = [UInt8](repeating: 0x62, count: 60)
        #expect(try fixture.client().post("/echo", body).body == body)
        #expect(await fixture.stop() == 0)
    }

    @Test func aSenderIsHeldBackWhileItsAnswerIsPending() async throws {
        let fixture = try Fixture()
        let client = try fixture.client()
        try client.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(eventually { fixture.handler.held.count == 1 })
        // Loopback's socket buffers grow to some megabytes; the server takes no more than one read.
        #expect(client.sendWithoutWaiting(atMost: 64 << 20) < 32 << 20)
        fixture.handler.releaseHeld()
        #expect(try client.read().text == "held")
        client.end()
        #expect(await fixture.stop() == 0)
    }

    @Test func expectContinue() async throws {
        let fixture = try Fixture()
        let client = try fixture.client()
        try client.send("POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        #expect(try client.read().status == 100)
        try client.send("hi")
        #expect(try client.read().text == "hi")
        #expect(await fixture.stop() == 0)
    }

    /// The client sends all of its body before it reads: the answer must survive that.
    @Test(arguments: ["/refuse", "/echo"])
    func anErrorReachesAClientThatIsStillSending(_ path: String) async throws {
        let fixture = try Fixture()
        for _ in 0..<5 {
            let client = try fixture.client()
            let size = 24 << 20
            try client.send("POST \(path) HTTP/1.1\r\nHost: a\r\nContent-Length: \(size)\r\n\r\n")
            try client.send([UInt8](repeating: 0, count: size))
            let answer = try client.read()
            #expect(answer.status == (path == "/refuse" ? 404 : 413))
            #expect(answer.head.contains("Connection: close"))
            #expect(client.isAtEnd())
        }
        #expect(fixture.handler.handled == 0)
        #expect(await fixture.stop() == 0)
    }

    @Test func aDroppedAnswerIs500() async throws {
        let fixture = try Fixture()
        let client = try fixture.client()
        let answer = try client.get("/drop")
        #expect(answer.status == 500 && answer.text == "no_answer")
        #expect(await fixture.stop() == 0)
    }

    @Test func aSlowHeaderIs408() async throws {
        var limits = HTTPLimits()
        limits.headerTime = .milliseconds(300)
        let fixture = try Fixture(limits: limits)
        let client = try fixture.client()
        try client.send("GET / HT")
        #expect(try client.read().status == 408)
        #expect(client.isAtEnd())
        #expect(await fixture.stop() == 0)
    }

    @Test func anIdleConnectionIsClosed() async throws {
        var limits = HTTPLimits()
        limits.keepAliveIdle = .milliseconds(300)
        let fixture = try Fixture(limits: limits)
        let client = try fixture.client()
        #expect(try client.get("/").status == 200)
        #expect(client.isAtEnd())
        #expect(await fixture.stop() == 0)
    }
}

@Suite(.serialized) struct DepartureTests {
    private func heldRequest(_ fixture: Fixture) throws -> SocketClient {
        let client = try fixture.client()
        try client.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(eventually { fixture.handler.held.count == 1 })
        return client
    }

    @Test(arguments: ["127.0.0.1:0", "unix:"])
    func aClientThatClosesIsNoticed(_ listen: String) async throws {
        let path = temporaryPath()
        let fixture = try Fixture(listen: listen == "unix:" ? "unix:\(path)" : listen)
        let client = try heldRequest(fixture)
        client.end()
        #expect(eventually { fixture.handler.cancelled == 1 })
        #expect(fixture.handler.held.map(\.isCancelled) == [true])
        #expect(eventually { fixture.server.connectionCount == 0 })
        fixture.handler.releaseHeld()
        #expect(await fixture.stop() == 0)
    }

    @Test func aClientThatResetsIsNoticed() async throws {
        let fixture = try Fixture()
        let client = try heldRequest(fixture)
        client.reset()
        #expect(eventually { fixture.handler.cancelled == 1 })
        #expect(await fixture.stop() == 0)
    }

    @Test func unreadBytesDoNotHideADeparture() async throws {
        let fixture = try Fixture()
        let client = try heldRequest(fixture)
        try client.send([UInt8](repeating: 0x41, count: 100_000))
        usleep(300_000)
        #expect(fixture.handler.cancelled == 0)
        client.end()
        #expect(eventually { fixture.handler.cancelled == 1 })
        #expect(await fixture.stop() == 0)
    }

    @Test(arguments: [0, 1_200_000])
    func aClientThatHalfClosesGetsItsAnswer(_ microseconds: UInt32) async throws {
        let fixture = try Fixture()
        let client = try heldRequest(fixture)
        client.finishWriting()
        usleep(microseconds)
        fixture.handler.releaseHeld()
        var answer = try client.read()
        if microseconds > 0 {
            #expect(answer.status == 100)
            answer = try client.read()
        }
        #expect(answer.text == "held")
        #expect(client.isAtEnd())
        #expect(fixture.handler.cancelled == 0)
        #expect(await fixture.stop() == 0)
    }

    /// The next request of another client is not answered by it either.
    @Test func aResponseAfterTheDisconnectGoesNowhere() async throws {
        let fixture = try Fixture()
        let client = try heldRequest(fixture)
        let held = fixture.handler.held
        client.reset()
        #expect(eventually { fixture.handler.cancelled == 1 })
        let other = try fixture.client()
        held.forEach { $0.release() }
        #expect(try other.get("/own").text == "/own")
        #expect(await fixture.stop() == 0)
    }
}

@Suite(.serialized) struct ShutdownTests {
    /// Closed-loop clients: each request that was sent is answered, the last with `Connection: close`.
    @Test func nothingIsLostUnderLoad() async throws {
        let fixture = try Fixture()
        let threads = (0..<16).map { _ in
            Thread {
                let client = try fixture.client()
                while true {
                    let answer = try client.get("/slow")
                    guard answer.status == 200 else { throw SocketClient.Failure.ended(received: 0, errno: 0) }
                    if answer.head.contains("Connection: close") { return }
                }
            }
        }
        #expect(eventually { fixture.handler.handled > 200 })
        #expect(await fixture.stop() == 0)
        for thread in threads { try thread.join() }
        #expect(throws: SocketClient.Failure.self) { try fixture.client() }
    }

    @Test func theEndOfTheGraceCountsWhatIsLost() async throws {
        let fixture = try Fixture()
        let clients = try (0..<3).map { _ in try fixture.client() }
        for client in clients { try client.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n") }
        #expect(eventually { fixture.handler.held.count == 3 })
        #expect(await fixture.server.shutdown(grace: .milliseconds(300)) == 3)
        #expect(fixture.handler.cancelled == 3)
        #expect(eventually { fixture.server.connectionCount == 0 })
    }

    @Test func idleConnectionsDoNotHoldItUp() async throws {
        let fixture = try Fixture()
        let client = try fixture.client()
        #expect(try client.get("/").status == 200)
        let began = ContinuousClock.now
        #expect(await fixture.server.shutdown(grace: .seconds(120)) == 0)
        #expect(ContinuousClock.now - began < .seconds(60), "well before the grace of two minutes")
        #expect(client.isAtEnd())
    }

    @Test func stoppingTwiceOrUnstartedIsHarmless() async throws {
        let fixture = try Fixture()
        #expect(await fixture.stop() == 0)
        #expect(await fixture.stop() == 0)
        let unstarted = HTTPServer(configuration: .init(), handler: TestHandler())
        #expect(await unstarted.shutdown(grace: .seconds(1)) == 0)
        #expect(throws: HTTPServerError.self) { try unstarted.start() }
    }
}

/// A POSIX thread, as blocking clients must not occupy the pool that tests run on.
final class Thread: Sendable {
    private let result = Mutex<Result<Void, any Error>?>(nil)
    private let done = DispatchSemaphore(value: 0)

    init(_ body: @escaping @Sendable () throws -> Void) {
        DispatchQueue(label: "client").async { [self] in
            let outcome = Result { try body() }
            result.withLock { $0 = outcome }
            done.signal()
        }
    }

    func join() throws {
        try #require(done.comes(), "a client goes on")
        done.signal()
        try result.withLock { $0 }?.get()
    }
}

func temporaryPath() -> String {
    "/tmp/tessera-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max)).sock"
}
