import Dispatch
import Foundation
import Synchronization

/// Threads that compute the images of a batch side by side: the caller's, and others that sleep between batches. They are
/// made when they are first needed.
///
/// One caller at a time.
final class Lanes {
    private let stackBytes: Int
    private var others: [Lane] = []

    init(stackBytes: Int) { self.stackBytes = stackBytes }

    deinit {
        for lane in others { lane.end() }
    }

    /// Calls `body` once for each of 0 ..< `items`, on up to `count` threads, each of which takes the next item when it has
    /// done one. Returns when all are done.
    ///
    /// - Parameter body: takes the lane, 0 ..< `count`, and the item; no two calls with the same lane are at once.
    func run(_ items: Int, on count: Int, _ body: @escaping @Sendable (_ lane: Int, _ item: Int) -> Void) {
        let next = Counter()
        @Sendable func work(_ lane: Int) {
            while true {
                let item = next.take()
                guard item < items else { return }
                body(lane, item)
            }
        }
        let helping = min(count, items) - 1
        while others.count < helping { others.append(Lane(stackBytes: stackBytes)) }
        for lane in 0..<max(0, helping) { others[lane].begin { work(lane + 1) } }
        work(0)
        for lane in 0..<max(0, helping) { others[lane].wait() }
    }
}

private final class Counter: Sendable {
    private let next = Atomic(0)

    func take() -> Int { next.wrappingAdd(1, ordering: .relaxed).oldValue }
}

/// A thread that does what it is given, one thing after another.
private final class Lane {
    /// What the two threads share; the lane's end is no task at all.
    private final class Desk: Sendable {
        let task = Mutex<(@Sendable () -> Void)?>(nil)
        let given = DispatchSemaphore(value: 0)
        let done = DispatchSemaphore(value: 0)
    }

    private let desk = Desk()

    init(stackBytes: Int) {
        let thread = Thread { [desk] in
            while Self.doNext(desk) { desk.done.signal() }
        }
        thread.stackSize = stackBytes
        thread.start()
    }

    /// Keeps nothing of what was given when it returns.
    ///
    /// - Returns: whether there was anything.
    private static func doNext(_ desk: Desk) -> Bool {
        desk.given.wait()
        let body = desk.task.withLock { task in
            defer { task = nil }
            return task
        }
        body?()
        return body != nil
    }

    func begin(_ body: @escaping @Sendable () -> Void) {
        desk.task.withLock { $0 = body }
        desk.given.signal()
    }

    func wait() { desk.done.wait() }

    /// - Precondition: nothing that was begun hasn't been waited for.
    func end() { desk.given.signal() }
}
