import Dispatch
import Foundation
import Synchronization
import TokenizerCore

/// Threads that compute the images of a batch side by side: the caller's, and others that sleep between batches. They
/// are made when they are first needed.
///
/// One caller at a time.
final class WorkerThreads {
    private let stackBytes: Int
    private var others: [WorkerThread] = []

    init(stackBytes: Int) { self.stackBytes = stackBytes }

    deinit {
        for thread in others { thread.end() }
    }

    /// Calls `body` once for each of 0 ..< `items`, on up to `count` threads, each of which takes the next item when it
    /// has done one. Returns when all are done.
    ///
    /// - Parameter body: takes the worker, 0 ..< `count`, and the item; no two calls with the same worker are at once.
    func run(_ items: Int, on count: Int, _ body: @escaping @Sendable (_ worker: Int, _ item: Int) -> Void) {
        let next = Counter()
        @Sendable func work(_ worker: Int) {
            while true {
                let item = next.take()
                guard item < items else { return }
                body(worker, item)
            }
        }
        let helping = min(count, items) - 1
        while others.count < helping { others.append(WorkerThread(stackBytes: stackBytes)) }
        for index in 0..<max(0, helping) { others[index].begin { work(index + 1) } }
        work(0)
        for index in 0..<max(0, helping) { others[index].wait() }
    }

    /// The same with one thread for each tokenizer; none is used by two threads at once.
    func run(
        _ items: Int, on tokenizers: [any Tokenizer],
        _ body: @escaping @Sendable (_ tokenizer: any Tokenizer, _ item: Int) -> Void
    ) {
        let replicas = Replicas(tokenizers: tokenizers)
        run(items, on: tokenizers.count) { worker, item in body(replicas.tokenizers[worker], item) }
    }
}

/// Tokenizers that worker threads use.
///
/// `@unchecked Sendable`, which the compiler can't see as replicas of one model share its weights: worker `i` alone
/// uses the tokenizer at `i`, and the calling thread waits for all workers before it uses one.
private struct Replicas: @unchecked Sendable {
    let tokenizers: [any Tokenizer]
}

private final class Counter: Sendable {
    private let next = Atomic(0)

    func take() -> Int { next.wrappingAdd(1, ordering: .relaxed).oldValue }
}

/// A thread that runs the tasks that it is given, one after another.
private final class WorkerThread {
    /// What the two threads share; a signal without a task ends the thread.
    private final class Mailbox: Sendable {
        let task = Mutex<(@Sendable () -> Void)?>(nil)
        let given = DispatchSemaphore(value: 0)
        let done = DispatchSemaphore(value: 0)
    }

    private let mailbox = Mailbox()

    init(stackBytes: Int) {
        let thread = Thread { [mailbox] in
            while Self.runNext(mailbox) { mailbox.done.signal() }
        }
        thread.stackSize = stackBytes
        thread.start()
    }

    /// Holds no reference to the task when it returns.
    ///
    /// - Returns: whether there was a task.
    private static func runNext(_ mailbox: Mailbox) -> Bool {
        mailbox.given.wait()
        let task = mailbox.task.withLock { task in
            defer { task = nil }
            return task
        }
        task?()
        return task != nil
    }

    func begin(_ task: @escaping @Sendable () -> Void) {
        mailbox.task.withLock { $0 = task }
        mailbox.given.signal()
    }

    func wait() { mailbox.done.wait() }

    /// - Precondition: every task that was begun has been waited for.
    func end() { mailbox.given.signal() }
}
