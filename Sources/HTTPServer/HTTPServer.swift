import Dispatch
import Glibc
import HTTPWire
import Synchronization

/// An HTTP/1.1 server on Dispatch: listeners accept on one queue, connections live on a few serial ones.
public final class HTTPServer: Sendable {
    public struct Configuration: Sendable {
        /// `HOST:PORT`, `[IPv6]:PORT`, `[IPv6]:PORT,ipv6only` or `unix:PATH`, each; of a host, all addresses that this
        /// machine has.
        public var listen: [String]
        public var limits = HTTPLimits()
        /// Beyond it accepting pauses.
        public var maximumConnections = 10_000
        /// Serial queues that connections are spread over.
        public var workers = 2
        /// Connections the kernel completes ahead of `accept`.
        public var backlog: Int32 = 4096
        /// How long handshakes that have begun before a stop have to end: a round trip, of which few take longer.
        public var handshakes: Duration = .milliseconds(250)

        public init(listen: [String] = ["127.0.0.1:8080"]) {
            self.listen = listen
        }
    }

    private struct State {
        var listeners: [Listener] = []
        var hasStarted = false
        var isStopping = false
    }

    private let configuration: Configuration
    private let handler: any HTTPHandler
    let acceptQueue = DispatchQueue(label: "tessera.http.accept")
    private let occupancy: Occupancy
    private let uploads: Uploads
    private let workers: [Worker]
    private let state = Mutex(State())

    public init(configuration: Configuration, handler: any HTTPHandler) {
        self.configuration = configuration
        self.handler = handler
        let occupancy = Occupancy(capacity: max(1, configuration.maximumConnections))
        self.occupancy = occupancy
        let uploads = Uploads(limit: configuration.limits.uploads)
        self.uploads = uploads
        workers = (0..<max(1, configuration.workers)).map {
            Worker(
                index: $0, limits: configuration.limits, handler: handler, occupancy: occupancy, uploads: uploads)
        }
    }

    /// Connections open now, idle ones included.
    public var connectionCount: Int { occupancy.count }

    /// Bytes of bodies that are on their way.
    var uploadBytes: Int { uploads.total }

    /// Listens on all addresses, or on none if one fails. Once only.
    ///
    /// - Returns: where, with the port the kernel chose in place of 0; for a host, each of its addresses.
    /// - Throws: `bad_address`, `address_in_use` or `cannot_listen`.
    public func start() throws(HTTPServerError) -> [ListenAddress] {
        let isFirst = state.withLock { state in
            defer { state.hasStarted = true }
            return !state.hasStarted
        }
        guard isFirst else { throw HTTPServerError("cannot_listen", "the server has been started before") }
        var listeners: [Listener] = []
        do throws(HTTPServerError) {
            for text in configuration.listen { listeners += try makeListeners(ListenRequest(text)) }
            for worker in workers { try worker.start() }
        } catch {
            let opened = listeners
            acceptQueue.async { opened.forEach { $0.stop(handshakes: .zero) {} } }
            workers.forEach { $0.stop() }
            throw error
        }
        handler.started(self)
        listeners.forEach { $0.start() }
        let started = listeners
        state.withLock { $0.listeners = started }
        return listeners.map(\.address)
    }

    private func makeListeners(_ request: ListenRequest) throws(HTTPServerError) -> [Listener] {
        let sockets = try Sockets.listen(on: request, backlog: configuration.backlog)
        return sockets.release().map {
            Listener(
                OwnedSocket(descriptor: $0), address: request.address, queue: acceptQueue, occupancy: occupancy,
                workers: workers)
        }
    }

    /// Stops: no connection begins any more, idle ones close, accepted requests get responses with `Connection: close`.
    /// A kept connection's next request, if it comes within `HTTPLimits.drainIdle`, still reaches the handler, and so
    /// does one that has begun and ends within `HTTPLimits.drainRequest`; later ones get 503. A connection that the
    /// kernel had completed before is accepted and served as these, though it may have to wait for room.
    ///
    /// - Parameter grace: after it, what is left is cut off.
    /// - Parameter completion: once; the number of accepted requests that went unanswered.
    public func shutdown(grace: Duration, completion: @escaping @Sendable (Int) -> Void) {
        let listeners: [Listener]? = state.withLock { state in
            guard !state.isStopping else { return nil }
            state.isStopping = true
            state.hasStarted = true
            defer { state.listeners = [] }
            return state.listeners
        }
        guard let listeners else { return occupancy.whenEmpty { completion(0) } }
        let deadline = DispatchTime.now() + max(0, grace / .seconds(1))
        let handshakes = configuration.handshakes
        let isOver = Once()
        let closing = DispatchGroup()
        for listener in listeners {
            closing.enter()
            acceptQueue.async { listener.stop(handshakes: handshakes) { closing.leave() } }
        }
        // Before the listeners are closed: what waits to be accepted may need the room that idle connections leave.
        acceptQueue.async { [workers] in workers.forEach { $0.drain() } }
        closing.notify(queue: acceptQueue) { [self] in
            occupancy.whenEmpty { [self] in
                if isOver.claim() { end(completion) }
            }
        }
        acceptQueue.asyncAfter(deadline: deadline) { [self] in
            guard isOver.claim() else { return }
            listeners.forEach { $0.close() }
            cutOff(completion)
        }
    }

    /// As `shutdown(grace:completion:)`.
    public func shutdown(grace: Duration) async -> Int {
        await withCheckedContinuation { continuation in
            shutdown(grace: grace) { continuation.resume(returning: $0) }
        }
    }

    private func end(_ completion: @escaping @Sendable (Int) -> Void) {
        let stopping = DispatchGroup()
        for worker in workers {
            stopping.enter()
            worker.stop { stopping.leave() }
        }
        stopping.notify(queue: acceptQueue) { completion(0) }
    }

    private func cutOff(_ completion: @escaping @Sendable (Int) -> Void) {
        let lost = Tally()
        let closing = DispatchGroup()
        for worker in workers {
            closing.enter()
            worker.closeAll { count in
                lost.add(count)
                closing.leave()
            }
            closing.enter()
            worker.stop { closing.leave() }
        }
        closing.notify(queue: acceptQueue) { completion(lost.total) }
    }
}

/// Lets one of several callers through.
private final class Once: Sendable {
    private let isClaimed = Atomic<Bool>(false)

    func claim() -> Bool { !isClaimed.exchange(true, ordering: .acquiringAndReleasing) }
}

/// A sum over several queues.
private final class Tally: Sendable {
    private let sum = Atomic<Int>(0)

    var total: Int { sum.load(ordering: .acquiring) }

    func add(_ count: Int) { sum.wrappingAdd(count, ordering: .acquiringAndReleasing) }
}
