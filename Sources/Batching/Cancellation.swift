import Synchronization

/// Whether a request's work is still wanted, shared by the request and all of its jobs.
public final class Cancellation: Sendable {
    private struct State {
        var hasBegun = false
        var isCancelled = false
    }

    private let state = Mutex(State())

    public init() {}

    /// The work is not wanted: the client has disconnected, or the request has its response.
    public var isCancelled: Bool { state.withLock { $0.isCancelled } }

    /// Whether one of the jobs has been run, or runs. From then on the request's deadline doesn't matter: what is half
    /// done is finished.
    public var hasBegun: Bool { state.withLock { $0.hasBegun } }

    /// Jobs that have not begun are dropped.
    public func cancel() {
        state.withLock { $0.isCancelled = true }
    }

    /// Cancels because the deadline has passed.
    ///
    /// - Returns: whether it did: not where a job has begun, nor where it was cancelled before.
    public func expire() -> Bool {
        state.withLock { state in
            guard !state.hasBegun, !state.isCancelled else { return false }
            state.isCancelled = true
            return true
        }
    }

    /// - Returns: whether to run a job; false where it was cancelled.
    func begin() -> Bool {
        state.withLock { state in
            guard !state.isCancelled else { return false }
            state.hasBegun = true
            return true
        }
    }
}
