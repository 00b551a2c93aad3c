import Dispatch
import Glibc
import HTTPServer
import HTTPWire
import Patience
import SocketClient
import Synchronization

/// `/echo` answers the body, `/big?n=` so many bytes, `/hold` when told to, `/slow` after 20 ms, `/drop` never,
/// `/stream?n=` in so many pieces, `/broken` with half a stream, and `/refuse` before the body; anything else its path.
final class TestHandler: HTTPHandler {
    private struct State {
        var asked = 0
        var handled = 0
        var held: [TestExchange] = []
        var cancelled = 0
        var streamed = 0
        var streamsEnded = 0
    }

    private let state = Mutex(State())
    let slowQueue = DispatchQueue(label: "slow", attributes: .concurrent)

    /// Heads that were decided about.
    var asked: Int { state.withLock { $0.asked } }
    var handled: Int { state.withLock { $0.handled } }
    var held: [TestExchange] { state.withLock { $0.held } }
    var cancelled: Int { state.withLock { $0.cancelled } }
    /// Pieces of streams that sockets have taken.
    var streamed: Int { state.withLock { $0.streamed } }
    /// Streams whose producers have ended, for whatever reason.
    var streamsEnded: Int { state.withLock { $0.streamsEnded } }

    func releaseHeld() {
        let held = state.withLock { state in
            defer { state.held = [] }
            return state.held
        }
        for exchange in held { exchange.release() }
    }

    func begin(_ head: HTTPRequestHead, peer: String?) -> HTTPDecision {
        state.withLock { $0.asked += 1 }
        if head.path == "/refuse" { return .respond(HTTPResponse(status: 404)) }
        return .collect(limit: 16 << 20, TestExchange(head, self))
    }

    func response(to error: HTTPWireError, head: HTTPRequestHead?, peer: String?) -> HTTPResponse {
        HTTPResponse(status: error.status, body: Array(error.code.utf8))
    }

    func noteHandled() { state.withLock { $0.handled += 1 } }
    func noteCancelled() { state.withLock { $0.cancelled += 1 } }
    func notePiece() { state.withLock { $0.streamed += 1 } }
    func noteStreamEnd() { state.withLock { $0.streamsEnded += 1 } }
    func hold(_ exchange: TestExchange) { state.withLock { $0.held.append(exchange) } }
}

/// Runs tasks on a dispatch queue.
private final class QueueExecutor: TaskExecutor {
    let queue: DispatchQueue

    init(queue: DispatchQueue) { self.queue = queue }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        queue.async { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}

/// One request to a `TestHandler`.
final class TestExchange: HTTPExchange {
    private let head: HTTPRequestHead
    private let handler: TestHandler
    private let isWithdrawn = Mutex(false)
    private let responder = Mutex<HTTPResponder?>(nil)

    var isCancelled: Bool { isWithdrawn.withLock { $0 } }

    init(_ head: HTTPRequestHead, _ handler: TestHandler) {
        self.head = head
        self.handler = handler
    }

    func run(body: [UInt8], responder: HTTPResponder) {
        handler.noteHandled()
        let number = head.queryValue("n").flatMap { Int($0) } ?? 0
        switch head.path {
        case "/echo": responder.send(HTTPResponse(status: 200, body: body))
        case "/big": responder.send(HTTPResponse(status: 200, body: [UInt8](repeating: 0x62, count: number)))
        case "/hold":
            self.responder.withLock { $0 = responder }
            handler.hold(self)
        case "/slow":
            handler.slowQueue.asyncAfter(deadline: .now() + 0.02) { responder.send(HTTPResponse(status: 200)) }
        case "/drop": break
        case "/stream", "/broken": stream(number, head.path == "/stream", responder)
        default: responder.send(HTTPResponse(status: 200, body: Array(head.target.utf8)))
        }
    }

    /// Pieces "0\n", "1\n", … `pieces`, of `size` bytes each where the query asks for that.
    private func stream(_ pieces: Int, _ ends: Bool, _ responder: HTTPResponder) {
        let size = head.queryValue("size").flatMap { Int($0) } ?? 0
        // Not on the shared pool, whose threads other tests may block.
        Task(executorPreference: QueueExecutor(queue: handler.slowQueue)) { [handler] in
            defer { handler.noteStreamEnd() }
            guard let stream = responder.stream(HTTPResponse(status: 200, headers: ["Content-Type": "text/plain"]))
            else { return }
            for piece in 0..<pieces {
                let text = Array("\(piece)\n".utf8)
                let padding = [UInt8](repeating: UInt8(ascii: "."), count: max(0, size - text.count))
                guard await stream.write(padding + text) else { return }
                handler.notePiece()
            }
            if ends { stream.finish() }
        }
    }

    func release() {
        let responder = responder.withLock { $0 }
        responder?.send(HTTPResponse(status: 200, body: Array("held".utf8)))
    }

    func response(to error: HTTPWireError) -> HTTPResponse { handler.response(to: error, head: head, peer: nil) }

    func cancel() {
        isWithdrawn.withLock { $0 = true }
        handler.noteCancelled()
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
