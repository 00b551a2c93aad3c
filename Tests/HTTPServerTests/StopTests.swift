import Dispatch
import Glibc
import HTTPWire
import SocketClient
import Synchronization
import Testing

@testable import HTTPServer

/// Addresses of each kind that a listener has.
enum ListenerKind: String, CaseIterable, Sendable {
    case ipv4 = "127.0.0.1:0"
    case ipv6 = "[::1]:0"
    case unix

    /// `nil` where this machine has none.
    func fixture(
        _ configure: (inout HTTPServer.Configuration) -> Void = { _ in }
    ) throws -> Fixture? {
        do {
            return try Fixture(listen: self == .unix ? "unix:\(temporaryPath())" : rawValue, configure: configure)
        } catch  where self == .ipv6 {
            print("IPv6 not tested: \(error)")
            return nil
        }
    }
}

/// Connections that the kernel completes beside a stop.
@Suite(.serialized, .timeLimit(.minutes(5))) struct StopTests {
    /// What a client that waits to be accepted has said before the stop.
    enum Waiting: CaseIterable, Sendable {
        case request, upload, pipelined, halfClosed, silent

        var sent: String {
            let get = "GET /w HTTP/1.1\r\nHost: a\r\n\r\n"
            switch self {
            case .request, .halfClosed: return get
            case .upload: return "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n/w"
            case .pipelined: return get + get
            case .silent: return ""
            }
        }
    }

    /// Two places, both taken; more clients in the backlog.
    @Test(arguments: ListenerKind.allCases)
    func connectionsInTheBacklogAreServed(_ kind: ListenerKind) async throws {
        guard let fixture = try kind.fixture({ $0.maximumConnections = 2 }) else { return }
        let holding = try (0..<2).map { _ in try fixture.client() }
        for client in holding { try client.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n") }
        #expect(eventually { fixture.handler.held.count == 2 })
        let waiting = try Waiting.allCases.map { ($0, try fixture.client()) }
        for (manner, client) in waiting {
            try client.send(manner.sent)
            if manner == .halfClosed { client.finishWriting() }
        }
        let server = fixture.server
        let stopped = Stopping(server, grace: .seconds(120))
        fixture.handler.releaseHeld()
        for client in holding {
            #expect(try client.read().text == "held")
            client.end()
        }
        for (manner, client) in waiting {
            if manner != .silent {
                let answer = try client.read()
                #expect(answer.status == 200 && answer.text == "/w", "\(manner)")
                #expect(answer.head.contains("Connection: close"))
            }
            #expect(client.isAtEnd(), "\(manner)")
            client.end()
        }
        #expect(await stopped.lost == 0)
    }

    /// While the listener stays open for those that wait in its backlog.
    @Test(arguments: ListenerKind.allCases)
    func connectsDuringAStopAreRefused(_ kind: ListenerKind) async throws {
        guard let fixture = try kind.fixture({ $0.maximumConnections = 1 }) else { return }
        var address = fixture.address
        // The socket's own name is removed at once.
        if case .unix(let path) = address {
            let other = temporaryPath()
            try #require(link(path, other) == 0)
            address = .unix(path: other)
        }
        defer { if case .unix(let path) = address { unlink(path) } }
        let holding = try fixture.client()
        try holding.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(eventually { fixture.handler.held.count == 1 })
        let waiting = try fixture.client()
        try waiting.send("GET /waiting HTTP/1.1\r\nHost: a\r\n\r\n")
        let server = fixture.server
        let stopped = Stopping(server, grace: .seconds(120))
        let late = Thread { [address] in _ = try SocketClient(to: address).get("/late") }
        // As long as handshakes are waited for, and longer.
        usleep(500_000)
        fixture.handler.releaseHeld()
        #expect(try holding.read().text == "held")
        holding.end()
        #expect(try waiting.read().text == "/waiting")
        waiting.end()
        #expect(await stopped.lost == 0)
        #expect { try late.join() } throws: { error in
            guard case SocketClient.Failure.cannotConnect(let number) = error else { return false }
            return number == ECONNREFUSED
        }
        #expect(fixture.handler.handled == 2)
    }

    /// Clients that connect anew for every request, as fast as they can, until they are refused.
    @Test(arguments: ListenerKind.allCases, 0..<3)
    func everyAcceptedConnectionIsAnswered(_ kind: ListenerKind, _ round: Int) async throws {
        guard let fixture = try kind.fixture() else { return }
        let address = fixture.address
        let threads = (0..<8).map { _ in
            Thread {
                while true {
                    let client: SocketClient
                    do {
                        client = try SocketClient(to: address)
                    } catch SocketClient.Failure.cannotConnect(let number) {
                        // A Unix socket's file goes before it is closed.
                        guard number == ECONNREFUSED || number == ENOENT else { throw Errno(number) }
                        return
                    }
                    let answer = try client.get("/storm")
                    guard answer.status == 200, answer.text == "/storm" else { throw Errno(0) }
                }
            }
        }
        #expect(eventually { fixture.handler.handled > 100 })
        #expect(await fixture.stop() == 0)
        for thread in threads { #expect(throws: Never.self) { try thread.join() } }
    }

    private struct Errno: Error {
        let number: Int32
        init(_ number: Int32) { self.number = number }
    }

    /// The connections' queue is busy for longer than they may be silent. When it goes on, its clock's tick is due
    /// since before the rest of their requests came.
    @Test(arguments: [
        "GET /late HTTP/1.1\r\nHost: a\r\n\r\n", "POST /late HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nab",
    ])
    func whatHasComeIsReadBeforeTheClock(_ request: String) async throws {
        let handler = BusyHandler()
        var configuration = HTTPServer.Configuration(listen: ["127.0.0.1:0"])
        configuration.workers = 1
        configuration.limits.freshSilence = .seconds(3)
        configuration.limits.headerTime = .seconds(3)
        configuration.limits.bodyTime = .seconds(3)
        let server = HTTPServer(configuration: configuration, handler: handler)
        let address = try server.start()[0]
        let begun = [0, 1, 10, request.utf8.count / 2, request.utf8.count - 1]
        let clients = try begun.map { count in
            let client = try SocketClient(to: address)
            try client.send(Array(request.utf8.prefix(count)))
            return client
        }
        let busy = try SocketClient(to: address)
        try busy.send("GET /busy HTTP/1.1\r\nHost: a\r\n\r\n")
        handler.awaitArrival()
        // Ticks come every quarter of a second.
        usleep(400_000)
        for (count, client) in zip(begun, clients) { try client.send(Array(request.utf8.dropFirst(count))) }
        usleep(3_000_000)
        handler.goOn()
        for client in clients {
            #expect(try client.read().text == "/late")
            client.end()
        }
        #expect(try busy.read().text == "/busy")
        busy.end()
        #expect(await server.shutdown(grace: .seconds(120)) == 0)
    }
}

/// Keeps its connection's queue busy at `/busy` until it is told to go on; answers with the path.
private final class BusyHandler: HTTPHandler {
    private let arrived = DispatchSemaphore(value: 0)
    private let goesOn = DispatchSemaphore(value: 0)

    func awaitArrival() { arrived.wait() }
    func goOn() { goesOn.signal() }

    func begin(_ head: HTTPRequestHead, peer: String?) -> HTTPDecision {
        .collect(limit: 1 << 20, BusyExchange(head.path, self))
    }

    func response(to error: HTTPWireError, head: HTTPRequestHead?, peer: String?) -> HTTPResponse {
        HTTPResponse(status: error.status)
    }

    func block() {
        arrived.signal()
        goesOn.wait()
    }
}

private final class BusyExchange: HTTPExchange {
    private let path: String
    private let handler: BusyHandler

    init(_ path: String, _ handler: BusyHandler) {
        self.path = path
        self.handler = handler
    }

    func run(body: [UInt8], responder: HTTPResponder) {
        if path == "/busy" { handler.block() }
        responder.send(HTTPResponse(status: 200, body: Array(path.utf8)))
    }

    func response(to error: HTTPWireError) -> HTTPResponse { HTTPResponse(status: error.status) }
    func cancel() {}
}

/// A stop that has begun when this is made: nothing more is accepted.
struct Stopping: Sendable {
    private let outcome: AsyncStream<Int>

    init(_ server: HTTPServer, grace: Duration) {
        let (stream, continuation) = AsyncStream.makeStream(of: Int.self)
        outcome = stream
        server.shutdown(grace: grace) {
            continuation.yield($0)
            continuation.finish()
        }
        server.acceptQueue.sync {}
    }

    /// Requests that it cost, once it is over.
    var lost: Int? {
        get async { await outcome.first { _ in true } }
    }
}
