import Dispatch
import Glibc
import HTTPWire

/// A serial queue and the connections that live on it. They share one timer and one read buffer, so that an idle
/// connection costs its state and a place in `poller`.
///
/// `@unchecked Sendable`: everything mutable is touched on `queue` only.
final class Worker: @unchecked Sendable {
    let queue: DispatchQueue
    let limits: HTTPLimits
    let handler: any HTTPHandler
    let occupancy: Occupancy
    let uploads: Uploads
    /// Holds bytes only between a read and the parse that follows.
    var readBuffer = [UInt8](repeating: 0, count: 64 << 10)
    private var connections: [Int32: Connection] = [:]
    private var poller: Poller?
    private var pollSource: (any DispatchSourceRead)?
    private var timer: (any DispatchSourceTimer)?
    private var isDraining = false
    private var dateSecond: Int64 = .min
    private var date = HTTPDate(unixSeconds: 0)

    init(index: Int, limits: HTTPLimits, handler: any HTTPHandler, occupancy: Occupancy, uploads: Uploads) {
        queue = DispatchQueue(label: "tessera.http.\(index)")
        self.limits = limits
        self.handler = handler
        self.occupancy = occupancy
        self.uploads = uploads
    }

    /// Once, before the first `add`.
    ///
    /// - Throws: `cannot_listen` where there is no descriptor for it.
    func start() throws(HTTPServerError) {
        let poller = try Poller()
        let source = DispatchSource.makeReadSource(fileDescriptor: poller.descriptor, queue: queue)
        source.setEventHandler { self.poll() }
        self.poller = consume poller
        pollSource = source
        let timer = DispatchSource.makeTimerSource(queue: queue)
        timer.schedule(deadline: .now() + 0.25, repeating: 0.25, leeway: .milliseconds(50))
        timer.setEventHandler { self.tick() }
        self.timer = timer
        source.activate()
        timer.activate()
    }

    /// Breaks the cycles between the sources and the worker.
    ///
    /// - Parameter stopped: called when its descriptor is closed.
    func stop(_ stopped: @escaping @Sendable () -> Void = {}) {
        queue.async {
            self.timer?.cancel()
            guard let source = self.pollSource else { return stopped() }
            source.setCancelHandler {
                self.poller = nil
                stopped()
            }
            source.cancel()
            (self.timer, self.pollSource) = (nil, nil)
        }
    }

    /// Takes over an accepted socket for which `occupancy` holds a place.
    func add(_ descriptor: Int32) {
        queue.async {
            let connection = Connection(descriptor, worker: self)
            self.connections[descriptor] = connection
            connection.start()
            if self.isDraining { connection.drain() }
        }
    }

    func remove(_ descriptor: Int32) {
        connections[descriptor] = nil
    }

    /// - Returns: whether `descriptor` is watched now.
    func watch(_ descriptor: Int32, for readiness: Readiness) -> Bool {
        poller?.add(descriptor, for: readiness) ?? false
    }

    func watch(_ descriptor: Int32, nowFor readiness: Readiness) {
        poller?.change(descriptor, to: readiness)
    }

    /// A descriptor that was closed by an earlier event's work finds no connection: new ones come between two calls.
    private func poll() {
        for (descriptor, readiness) in poller?.ready() ?? [] { connections[descriptor]?.ready(for: readiness) }
    }

    /// Also those that are added later.
    func drain() {
        queue.async {
            self.isDraining = true
            // A copy: what runs may close connections.
            Array(self.connections.values).forEach { $0.drain() }
        }
    }

    /// Closes what is left and reports how many accepted requests that costs.
    func closeAll(_ report: @escaping @Sendable (Int) -> Void) {
        queue.async {
            let open = Array(self.connections.values)
            let lost = open.count { $0.isBusy }
            open.forEach { $0.disconnect() }
            report(lost)
        }
    }

    /// Now; the `Date` field's text is made once a second.
    func moment() -> HTTPMoment {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        let second = Int64(time(nil))
        if second != dateSecond { (dateSecond, date) = (second, HTTPDate(unixSeconds: second)) }
        return HTTPMoment(
            monotonic: .seconds(now.tv_sec) + .nanoseconds(now.tv_nsec), date: date)
    }

    private func tick() {
        let moment = moment()
        for connection in Array(connections.values) { connection.tick(at: moment) }
    }
}
