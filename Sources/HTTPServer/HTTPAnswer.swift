import HTTPWire
import Synchronization

/// A request's one answer, given from any thread. Let go without one, the client gets a 500.
public final class HTTPAnswer: Sendable {
    private enum State {
        case open(onAbandon: [@Sendable () -> Void])
        case answered
        case abandoned
    }

    /// Whom it goes to, as `HTTPHandler.policy(for:)` is told.
    public let peer: String?
    private let state = Mutex(State.open(onAbandon: []))
    private let deliver: @Sendable (HTTPResponse?) -> Void

    /// - Parameter deliver: called at most once; `nil` when the answer was let go without a response.
    public init(peer: String? = nil, deliver: @escaping @Sendable (HTTPResponse?) -> Void) {
        self.peer = peer
        self.deliver = deliver
    }

    deinit {
        if case .open = state.withLock({ $0 }) { deliver(nil) }
    }

    /// Answers. Only the first call counts; once the client has gone none does.
    public func send(_ response: HTTPResponse) {
        let isFirst = state.withLock { state in
            guard case .open = state else { return false }
            state = .answered
            return true
        }
        if isFirst { deliver(response) }
    }

    /// Whether the client went away before it was answered: work on the request is lost work.
    public var isAbandoned: Bool {
        state.withLock { state in
            if case .abandoned = state { return true }
            return false
        }
    }

    /// Runs `body` once if the client goes away before it is answered; at once if it has. On the connection's queue or
    /// the caller's: must return soon.
    public func onAbandon(_ body: @escaping @Sendable () -> Void) {
        let runsNow = state.withLock { state in
            switch state {
            case .open(let bodies):
                state = .open(onAbandon: bodies + [body])
                return false
            case .answered: return false
            case .abandoned: return true
            }
        }
        if runsNow { body() }
    }

    /// The client has gone. Without effect once answered.
    public func abandon() {
        let bodies: [@Sendable () -> Void] = state.withLock { state in
            guard case .open(let bodies) = state else { return [] }
            state = .abandoned
            return bodies
        }
        for body in bodies { body() }
    }
}
