import Dispatch
import Synchronization

/// Holds one thread that passes it while it is closed, until it is opened.
package final class Gate: Sendable {
    private let isClosed = Atomic<Bool>(false)
    private let reached = DispatchSemaphore(value: 0)
    private let opened = DispatchSemaphore(value: 0)

    package init() {}

    package func close() { isClosed.store(true, ordering: .releasing) }

    package func pass() {
        guard isClosed.exchange(false, ordering: .acquiringAndReleasing) else { return }
        reached.signal()
        // Not for ever: a test that failed before it opened must not hold the engine.
        _ = opened.comes(within: Patience.long)
    }

    package func open() { opened.signal() }

    /// Blocks until a thread waits at the closed gate.
    package func awaitArrival() -> Bool { reached.comes() }
}
