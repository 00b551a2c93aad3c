import Glibc
import HTTPServer
import HTTPWire
import SocketClient
import Testing

@Suite(.serialized) struct StreamTests {
    private let text = (0..<20).map { "\($0)\n" }.joined()

    @Test func aStreamComesInChunksAndTheConnectionIsKept() async throws {
        let fixture = try Fixture()
        let client = try fixture.client()
        for _ in 0..<2 {
            let response = try client.get("/stream?n=20")
            #expect(response.head.contains("\r\nTransfer-Encoding: chunked"))
            #expect(!response.head.contains("Content-Length"))
            #expect(response.text == text)
        }
        #expect(try client.get("/after").text == "/after")
        #expect(await fixture.stop() == 0)
    }

    @Test func forHTTP10ItEndsWithTheConnection() async throws {
        let fixture = try Fixture()
        let client = try fixture.client()
        try client.send("GET /stream?n=20 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        let all = String(decoding: client.readToEnd(), as: UTF8.self)
        #expect(!all.contains("chunked") && all.contains("\r\nConnection: close\r\n"))
        #expect(all.hasSuffix("\r\n\r\n" + text))
        #expect(await fixture.stop() == 0)
    }

    @Test func headHasNoBody() async throws {
        let fixture = try Fixture()
        let client = try fixture.client()
        try client.send("HEAD /stream?n=20 HTTP/1.1\r\nHost: a\r\n\r\nGET /after HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(eventually { fixture.handler.handled == 2 })
        #expect(eventually { fixture.handler.streamsEnded == 1 })
        client.finishWriting()
        let all = String(decoding: client.readToEnd(), as: UTF8.self)
        #expect(all.hasSuffix("\r\n\r\n/after"))
        #expect(!all.contains("19\n"))
        #expect(await fixture.stop() == 0)
    }

    /// A stream that breaks off is told from a whole one: no last chunk, and the connection ends.
    @Test func aStreamThatBreaksOffEndsTheConnection() async throws {
        let fixture = try Fixture()
        let client = try fixture.client()
        try client.send("GET /broken?n=3 HTTP/1.1\r\nHost: a\r\n\r\n")
        let all = String(decoding: client.readToEnd(), as: UTF8.self)
        #expect(all.hasSuffix("2\r\n2\n\r\n"))
        #expect(fixture.server.connectionCount == 0 || eventually { fixture.server.connectionCount == 0 })
        #expect(await fixture.stop() == 0)
    }

    /// The producer runs no further ahead than the sockets' buffers.
    @Test func aClientThatDoesNotReadHoldsTheProducerBack() async throws {
        let fixture = try Fixture()
        let client = try fixture.client()
        try client.send("GET /stream?n=1000&size=100000 HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(eventually { fixture.handler.streamed > 0 })
        var last = -1
        #expect(
            eventually {
                defer { last = fixture.handler.streamed }
                return last == fixture.handler.streamed
            })
        #expect(fixture.handler.streamed < 500)
        #expect(try client.read().body.count == 100_000_000)
        #expect(await fixture.stop() == 0)
    }

    @Test func aClientThatDisconnectsEndsTheProducer() async throws {
        let fixture = try Fixture()
        for number in 1...5 {
            let client = try fixture.client()
            try client.send("GET /stream?n=100000&size=10000 HTTP/1.1\r\nHost: a\r\n\r\n")
            #expect(eventually { fixture.handler.streamed > 0 })
            if number % 2 == 0 { client.reset() } else { client.end() }
            #expect(eventually { fixture.handler.streamsEnded == number })
        }
        #expect(fixture.handler.streamed < 500_000)
        #expect(eventually { fixture.server.connectionCount == 0 })
        #expect(await fixture.stop() == 0)
    }

    @Test func aReaderThatIsTooSlowIsDropped() async throws {
        var limits = HTTPLimits()
        limits.responseUnread = .seconds(1)
        let fixture = try Fixture(limits: limits)
        let client = try fixture.client()
        try client.send("GET /stream?n=100000&size=100000 HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(eventually { fixture.handler.streamsEnded == 1 })
        #expect(eventually { fixture.server.connectionCount == 0 })
        #expect(fixture.handler.streamed < 1000)
        _ = client
        #expect(await fixture.stop() == 0)
    }

    /// Requests behind a stream wait for its end.
    @Test func aPipelinedRequestIsAnsweredBehindTheStream() async throws {
        let fixture = try Fixture()
        let client = try fixture.client()
        try client.send("GET /stream?n=20 HTTP/1.1\r\nHost: a\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(try client.read().text == text)
        #expect(try client.read().text == "/next")
        #expect(await fixture.stop() == 0)
    }

    @Test func aStopWaitsForAStream() async throws {
        let fixture = try Fixture()
        let client = try fixture.client()
        try client.send("GET /stream?n=2000&size=10000 HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(eventually { fixture.handler.streamed > 0 })
        async let lost = fixture.stop()
        #expect(try client.read().body.count == 20_000_000)
        client.end()
        #expect(await lost == 0)
    }
}
