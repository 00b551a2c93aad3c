/// Where a connection stands between accept and close. Times, bytes and the request at hand are `ConnectionState`'s.
enum ConnectionPhase: Sendable, Equatable {
    /// Between requests, or before the first.
    case idle
    /// A request has begun; its head is not whole.
    case head
    /// The head is whole; what to do with the request is being decided.
    case deciding
    /// The body of an accepted request is being read.
    case body
    /// The response is known; the request's short body is read to its end, so that the connection can be kept.
    case discarding
    /// The request is whole; its response is being made.
    case waiting
    /// What came is not a request that is taken; the response to that is being made.
    case refusing
    /// A response is being written whose body is still being made.
    case streaming
    /// The end of a response is being written.
    case writing
    /// FIN has been sent; what arrives is read and thrown away (RFC 9112 9.6).
    case lingering
    case closed

    enum Event: Sendable, Equatable {
        /// The first byte of a request has come.
        case requestBegun
        case headComplete
        /// The request is accepted, its body is wanted.
        case bodyWanted
        /// The request gets its response without its body, which is read all the same.
        case bodyDiscarded
        case requestComplete
        /// The wire refuses the request: malformed, too large, too slow.
        case requestRefused
        /// A whole response is given.
        case responseGiven
        /// A response is given whose body follows in pieces.
        case streamBegun
        case streamEnded
        case responseWritten(keepsAlive: Bool)
        /// Closed by either side, or broken.
        case ended
    }

    /// The whole life of a connection. `nil`: `event` has no meaning here and is ignored.
    func after(_ event: Event) -> ConnectionPhase? {
        switch (self, event) {
        case (.closed, _): nil
        case (_, .ended): .closed
        case (.idle, .requestBegun): .head
        case (.idle, .headComplete), (.head, .headComplete): .deciding
        case (.deciding, .bodyWanted): .body
        case (.deciding, .bodyDiscarded): .discarding
        case (.body, .requestComplete): .waiting
        case (.idle, .requestRefused), (.head, .requestRefused): .refusing
        case (.body, .requestRefused), (.discarding, .requestRefused): .refusing
        case (.deciding, .responseGiven), (.discarding, .responseGiven): .writing
        case (.waiting, .responseGiven), (.refusing, .responseGiven): .writing
        case (.waiting, .streamBegun): .streaming
        case (.streaming, .streamEnded): .writing
        case (.writing, .responseWritten(keepsAlive: true)): .idle
        case (.writing, .responseWritten(keepsAlive: false)): .lingering
        default: nil
        }
    }

    /// Whether bytes are read from the peer.
    var wantsInput: Bool {
        switch self {
        case .idle, .head, .body, .discarding, .lingering: true
        case .deciding, .waiting, .refusing, .streaming, .writing, .closed: false
        }
    }

    /// Whether a request has been accepted and its response is not written yet.
    var isBusy: Bool {
        switch self {
        case .deciding, .body, .discarding, .waiting, .refusing, .streaming, .writing: true
        case .idle, .head, .lingering, .closed: false
        }
    }
}
