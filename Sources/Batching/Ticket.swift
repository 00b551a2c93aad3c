import Synchronization

/// Whether anybody still waits for a request, shared by all of its jobs.
public final class Ticket: Sendable {
    private struct State {
        var hasBegun = false
        var isGone = false
    }

    private let state = Mutex(State())

    public init() {}

    /// Nobody waits any more: the client went away, or was answered.
    public var isGone: Bool { state.withLock { $0.isGone } }

    /// Whether one of its jobs has been run, or runs. From then on its deadline doesn't matter: what is half done is
    /// finished.
    public var hasBegun: Bool { state.withLock { $0.hasBegun } }

    /// The client went away. What has not been begun is dropped.
    public func leave() {
        state.withLock { $0.isGone = true }
    }

    /// The deadline has passed.
    ///
    /// - Returns: whether that ends the request: not if it has begun to run, and only once.
    public func expire() -> Bool {
        state.withLock { state in
            guard !state.hasBegun, !state.isGone else { return false }
            state.isGone = true
            return true
        }
    }

    /// - Returns: whether to run it; false where nobody waits.
    func begin() -> Bool {
        state.withLock { state in
            guard !state.isGone else { return false }
            state.hasBegun = true
            return true
        }
    }
}
