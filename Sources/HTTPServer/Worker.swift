import Dispatch
import Glibc
import HTTPWire
import Synchronization

/// A loop that connections live on, run by a serial queue of its own. They share one epoll descriptor, one clock and
/// one read buffer, so that an idle connection costs its state and a place in `poller`.
///
/// The loop waits in epoll_wait(2) itself: through a dispatch source each event would cost two changes of threads. What
/// other threads want done on the loop comes through `perform`.
///
/// `@unchecked Sendable`: everything mutable but `inbox` is touched on the loop only.
final class Worker: @unchecked Sendable {
    /// What `perform` was given.
    private struct Inbox {
        var work: [@Sendable () -> Void] = []
        /// While the loop runs. Before and after that the queue is free and takes the work.
        var waker: Waker?
        /// Whether the loop waits, or is about to.
        var isWaiting = false
    }

    /// Between two looks at the connections' times.
    private static let tickInterval = Duration.milliseconds(250)
    /// Microseconds for which requests gather while the service refuses them.
    private static let refusalPause: UInt32 = 20_000

    let limits: HTTPLimits
    let handler: any HTTPHandler
    let occupancy: Occupancy
    let uploads: Uploads
    /// Holds bytes only between a read and the parse that follows.
    var readBuffer = [UInt8](repeating: 0, count: 64 << 10)
    /// When the loop last woke up.
    private(set) var moment: HTTPMoment
    private let queue: DispatchQueue
    private let inbox = Mutex(Inbox())
    private var connections: [Int32: Connection] = [:]
    private var poller: Poller?
    private var nextTick = Duration.zero
    private var isDraining = false
    private var isStopped = false
    /// Responses since the loop last woke up, and those of them that were 429.
    private var responses = (all: 0, refusals: 0)
    private var dateSecond: Int64 = .min

    init(index: Int, limits: HTTPLimits, handler: any HTTPHandler, occupancy: Occupancy, uploads: Uploads) {
        queue = DispatchQueue(label: "tessera.http.\(index)")
        self.limits = limits
        self.handler = handler
        self.occupancy = occupancy
        self.uploads = uploads
        moment = HTTPMoment(monotonic: .zero, date: HTTPDate(unixSeconds: 0))
    }

    /// Once, before the first `add`.
    ///
    /// - Throws: `cannot_listen` where there is no descriptor for it.
    func start() throws(HTTPServerError) {
        let waker = try Waker()
        poller = try Poller(waker)
        inbox.withLock { $0.waker = waker }
        queue.async { self.run() }
    }

    /// Runs `body` on the loop, or after its end on its queue; in the order of the calls.
    func perform(_ body: @escaping @Sendable () -> Void) {
        let waker: Waker? = inbox.withLock { inbox in
            guard let waker = inbox.waker else {
                queue.async(execute: body)
                return nil
            }
            inbox.work.append(body)
            defer { inbox.isWaiting = false }
            return inbox.isWaiting ? waker : nil
        }
        waker?.wake()
    }

    /// Ends the loop.
    ///
    /// - Parameter stopped: called when its descriptors are closed.
    func stop(_ stopped: @escaping @Sendable () -> Void = {}) {
        perform {
            self.isStopped = true
            // After the loop's end: the queue is busy with it until then.
            self.queue.async(execute: stopped)
        }
    }

    // MARK: - The loop

    private func run() {
        updateMoment()
        while !isStopped {
            pauseAfterRefusals()
            let work = takeWork()
            // Work may have more to follow; it and what the sockets have take turns.
            let count = poller?.wait(milliseconds: work.isEmpty ? timeToTick : 0) ?? 0
            updateMoment()
            for index in 0..<count {
                // One that was closed by an earlier event's work is found no more: new ones come with `work`.
                guard let event = poller?.event(index) else { continue }
                connections[event.descriptor]?.ready(for: event.readiness)
            }
            for body in work { body() }
            if moment.monotonic >= nextTick { tick() }
        }
        poller = nil
        let rest = inbox.withLock { inbox in
            defer { inbox = Inbox() }
            return inbox.work
        }
        for body in rest { body() }
    }

    /// A request is responded to by its head alone.
    func note(_ response: HTTPResponse) {
        responses.all += 1
        if response.status == 429 { responses.refusals += 1 }
    }

    /// Under overload most requests come one at a time, and to wake up for each costs more than to refuse it, at the
    /// expense of those that were taken. So when all that came was refused, more is awaited.
    private func pauseAfterRefusals() {
        if responses.all > 0, responses.refusals == responses.all { usleep(Self.refusalPause) }
        responses = (0, 0)
    }

    private func takeWork() -> [@Sendable () -> Void] {
        inbox.withLock { inbox in
            guard !inbox.work.isEmpty else {
                inbox.isWaiting = true
                return []
            }
            defer { inbox.work = [] }
            return inbox.work
        }
    }

    /// In milliseconds, rounded up; -1 while there is no connection.
    private var timeToTick: Int32 {
        guard !connections.isEmpty else { return -1 }
        return Int32(clamping: Int64(max(.zero, nextTick - moment.monotonic) / .milliseconds(1)) + 1)
    }

    private func tick() {
        nextTick = moment.monotonic + Self.tickInterval
        for connection in Array(connections.values) { connection.tick(at: moment) }
    }

    /// The `Date` field's text is made once a second.
    private func updateMoment() {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        moment.monotonic = .seconds(now.tv_sec) + .nanoseconds(now.tv_nsec)
        let second = Int64(time(nil))
        if second != dateSecond {
            dateSecond = second
            moment.date = HTTPDate(unixSeconds: second)
        }
    }

    // MARK: - Connections

    /// Takes over an accepted socket for which `occupancy` holds a place.
    func add(_ descriptor: Int32) {
        perform {
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

    /// Also those that are added later.
    func drain() {
        perform {
            self.isDraining = true
            // A copy: what runs may close connections.
            Array(self.connections.values).forEach { $0.drain() }
        }
    }

    /// Closes what is left and reports how many accepted requests that costs.
    func closeAll(_ report: @escaping @Sendable (Int) -> Void) {
        perform {
            let open = Array(self.connections.values)
            let lost = open.count { $0.isBusy }
            open.forEach { $0.disconnect() }
            report(lost)
        }
    }
}
