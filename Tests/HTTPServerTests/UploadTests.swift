import Glibc
import HTTPWire
import SocketClient
import Testing

@testable import HTTPServer

/// However an upload ends, its bytes, its place and its descriptor are given back.
@Suite(.serialized, .timeLimit(.minutes(5))) struct UploadTests {
    enum Ending: CaseIterable, Sendable {
        case reset, resetWithUnreadBytes, resetAfterItsFIN, closed, halfClosed, tooLarge, malformed, tooSlow, finished

        var length: String { self == .malformed || self == .tooLarge ? "chunked" : "length" }

        func end(_ client: SocketClient) throws {
            switch self {
            case .reset: client.reset()
            case .resetWithUnreadBytes:
                try client.send([UInt8](repeating: 0x62, count: 500))
                client.reset()
            case .resetAfterItsFIN:
                client.finishWriting()
                client.reset()
            case .closed: client.end()
            case .halfClosed:
                client.finishWriting()
                #expect(try client.read().status == 400)
                client.end()
            case .tooLarge:
                try client.send("1000000\r\n")
                #expect(try client.read().status == 413)
                client.end()
            case .malformed:
                try client.send("x\r\n")
                #expect(try client.read().status == 400)
                client.end()
            case .tooSlow:
                #expect(try client.read().status == 408)
                client.end()
            case .finished:
                try client.send([UInt8](repeating: 0x62, count: UploadTests.size - UploadTests.begun))
                #expect(try client.read().status == 200)
                client.end()
            }
        }
    }

    static let size = 60_000, begun = 40_000

    private func begin(_ ending: Ending, _ fixture: Fixture) throws -> SocketClient {
        let client = try fixture.client()
        let framing = ending.length == "length" ? "Content-Length: \(Self.size)" : "Transfer-Encoding: chunked"
        try client.send("POST /echo HTTP/1.1\r\nHost: a\r\n\(framing)\r\n\r\n")
        if ending.length == "chunked" { try client.send(String(Self.begun, radix: 16) + "\r\n") }
        try client.send([UInt8](repeating: 0x62, count: Self.begun))
        if ending.length == "chunked" { try client.send("\r\n") }
        return client
    }

    /// More often than there would be room for.
    @Test(arguments: Ending.allCases)
    func bytesAndPlacesAreGivenBack(_ ending: Ending) async throws {
        var limits = HTTPLimits()
        limits.uploads = 2 * Self.size
        if ending == .tooSlow { limits.bodyTime = .milliseconds(10) }
        let fixture = try Fixture(limits: limits, maximumConnections: 2)
        for _ in 0..<5 {
            let client = try begin(ending, fixture)
            if ending != .tooSlow {
                try #require(eventually(within: .seconds(5)) { fixture.server.uploadBytes == Self.begun })
            }
            try ending.end(client)
            try #require(
                eventually(within: .seconds(5)) {
                    fixture.server.uploadBytes == 0 && fixture.server.connectionCount == 0
                })
        }
        if ending != .tooSlow {
            let body = [UInt8](repeating: 0x62, count: Self.size)
            #expect(try fixture.client().post("/echo", body).body == body)
        }
        #expect(await fixture.stop() == 0)
    }

    @Test func refusedForTheOthersTheyAreGivenBack() async throws {
        var limits = HTTPLimits()
        limits.uploads = Self.begun + 1000
        let fixture = try Fixture(limits: limits)
        let first = try begin(.reset, fixture)
        try #require(eventually(within: .seconds(5)) { fixture.server.uploadBytes == Self.begun })
        for _ in 0..<5 {
            let refused = try begin(.reset, fixture)
            #expect(try refused.read().status == 429)
            try #require(eventually(within: .seconds(5)) { fixture.server.uploadBytes == Self.begun })
            refused.reset()
        }
        first.reset()
        try #require(
            eventually(within: .seconds(5)) { fixture.server.uploadBytes == 0 && fixture.server.connectionCount == 0 })
        #expect(await fixture.stop() == 0)
    }

    /// Within the grace each is answered; at its end it is cut off and counts as lost.
    @Test(arguments: [(Duration.milliseconds(200), Duration.seconds(120), 0), (.seconds(60), .milliseconds(200), 3)])
    func aStopEndsThem(_ drainRequest: Duration, _ grace: Duration, _ lost: Int) async throws {
        var limits = HTTPLimits()
        limits.drainRequest = drainRequest
        let fixture = try Fixture(limits: limits)
        let clients = try [Ending.reset, .malformed, .closed].map { try begin($0, fixture) }
        try #require(eventually(within: .seconds(5)) { fixture.server.uploadBytes == 3 * Self.begun })
        let server = fixture.server
        let stopped = Stopping(server, grace: grace)
        for client in clients {
            if lost == 0 {
                let answer = try client.read()
                #expect(answer.status == 503 && answer.text == "draining")
                #expect(answer.head.contains("Connection: close") && client.isAtEnd())
            } else {
                #expect(throws: SocketClient.Failure.self) { try client.read() }
            }
            client.end()
        }
        #expect(await stopped.lost == lost)
        #expect(server.uploadBytes == 0 && server.connectionCount == 0)
    }

    @Test func descriptorsAreGivenBack() async {
        await #expect(processExitsWith: .success) {
            func descriptors() -> Int { (0..<1024).count { fcntl(Int32($0), F_GETFD) >= 0 } }
            let suite = UploadTests()
            let warmUp = try Fixture()
            try Ending.finished.end(suite.begin(.finished, warmUp))
            _ = await warmUp.stop()
            let before = descriptors()
            let fixture = try Fixture()
            for ending in Ending.allCases where ending != .tooSlow {
                for _ in 0..<5 { try ending.end(suite.begin(ending, fixture)) }
            }
            _ = await fixture.stop()
            try #require(eventually { descriptors() == before })
        }
    }
}
