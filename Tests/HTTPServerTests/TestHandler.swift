import Dispatch
import Glibc
import HTTPServer
import HTTPWire
import Patience
import SocketClient
import Synchronization

/// `/echo` answers the body, `/big?n=` so many bytes, `/hold` when told to, `/slow` after 20 ms, `/drop` never, and
/// `/refuse` before the body; anything else its path.
final class TestHandler: HTTPHandler {
    private struct State {
        var asked = 0
        var handled = 0
        var held: [HTTPAnswer] = []
        var abandoned = 0
    }

    private let state = Mutex(State())
    private let slowQueue = DispatchQueue(label: "slow", attributes: .concurrent)

    /// Heads that were decided about.
    var asked: Int { state.withLock { $0.asked } }
    var handled: Int { state.withLock { $0.handled } }
    var held: [HTTPAnswer] { state.withLock { $0.held } }
    var abandoned: Int { state.withLock { $0.abandoned } }

    func releaseHeld() {
        let held = state.withLock { state in
            defer { state.held = [] }
            return state.held
        }
        for answer in held { answer.send(HTTPResponse(status: 200, body: Array("held".utf8))) }
    }

    func disposition(of head: HTTPRequestHead) -> HTTPDisposition {
        state.withLock { $0.asked += 1 }
        return head.path == "/refuse" ? .answer(HTTPResponse(status: 404)) : .collect(limit: 16 << 20)
    }

    func handle(_ request: HTTPRequest, answer: HTTPAnswer) {
        state.withLock { $0.handled += 1 }
        switch request.head.path {
        case "/echo": answer.send(HTTPResponse(status: 200, body: request.body))
        case "/big":
            let count = request.head.queryValue("n").flatMap { Int($0) } ?? 0
            answer.send(HTTPResponse(status: 200, body: [UInt8](repeating: 0x62, count: count)))
        case "/hold":
            answer.onAbandon { self.state.withLock { $0.abandoned += 1 } }
            state.withLock { $0.held.append(answer) }
        case "/slow":
            slowQueue.asyncAfter(deadline: .now() + 0.02) { answer.send(HTTPResponse(status: 200)) }
        case "/drop": break
        default: answer.send(HTTPResponse(status: 200, body: Array(request.head.target.utf8)))
        }
    }

    func response(to error: HTTPWireError) -> HTTPResponse {
        HTTPResponse(status: error.status, body: Array(error.code.utf8))
    }
}

/// A running server and where it listens.
struct Fixture {
    let server: HTTPServer
    let handler = TestHandler()
    let address: ListenAddress

    init(
        listen: String = "127.0.0.1:0", limits: HTTPLimits = HTTPLimits(), maximumConnections: Int = 10_000,
        configure: (inout HTTPServer.Configuration) -> Void = { _ in }
    ) throws {
        var configuration = HTTPServer.Configuration(listen: [listen])
        configuration.limits = limits
        configuration.maximumConnections = maximumConnections
        configure(&configuration)
        server = HTTPServer(configuration: configuration, handler: handler)
        address = try server.start()[0]
    }

    func client() throws -> SocketClient { try SocketClient(to: address) }

    /// Ends the server and expects that nothing was lost.
    func stop() async -> Int { await server.shutdown(grace: Patience.limit) }
}

/// Looks every 10 ms whether `condition` holds.
func eventually(within limit: Duration = Patience.limit, _ condition: () -> Bool) -> Bool {
    Patience.eventually(within: limit, pause: 10_000, condition)
}
