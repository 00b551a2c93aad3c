import Dispatch
import Synchronization

/// Runs bodies on at most `width` threads, first come first served, urgent ones before others.
///
/// As the executor of requests' tasks it takes what goes on as urgent, so that what has begun ends soon and gives its
/// memory and places back; a task that begins something new waits with `turn` until those before it have begun.
///
/// It has no bound of its own: tasks here hold places of `Admission`.
final class WorkQueue: TaskExecutor {
    /// First in, first out. It keeps nothing of what has been taken out.
    struct Waiting {
        private var bodies: [(@Sendable () -> Void)?] = []
        private var first = 0

        /// Elements that it takes memory for; at most twice of what waits.
        var room: Int { bodies.count }

        mutating func push(_ body: @escaping @Sendable () -> Void) { bodies.append(body) }

        mutating func pop() -> (@Sendable () -> Void)? {
            guard first < bodies.count else { return nil }
            let body = bodies[first]
            bodies[first] = nil
            first += 1
            // Moves at most as many as were taken since the last time.
            if first * 2 >= bodies.count {
                bodies.removeFirst(first)
                first = 0
            }
            return body
        }
    }

    private struct State {
        var active = 0
        var urgent = Waiting()
        var others = Waiting()
    }

    private let width: Int
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "tessera.preprocessing", attributes: .concurrent)

    init(width: Int) {
        self.width = max(1, width)
    }

    /// - Parameter urgent: for what ends a request: it gives memory and places back.
    func run(urgent: Bool = false, _ body: @escaping @Sendable () -> Void) {
        let starts = state.withLock { state in
            if urgent { state.urgent.push(body) } else { state.others.push(body) }
            guard state.active < width else { return false }
            state.active += 1
            return true
        }
        if starts { queue.async { self.work() } }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        run(urgent: true) { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }

    /// Returns when a thread is free for something new, in the order of the calls.
    func turn() async {
        await withCheckedContinuation { continuation in run { continuation.resume() } }
    }

    private func work() {
        while let body = next() { body() }
    }

    private func next() -> (@Sendable () -> Void)? {
        state.withLock { state in
            if let body = state.urgent.pop() ?? state.others.pop() { return body }
            state.active -= 1
            return nil
        }
    }
}
