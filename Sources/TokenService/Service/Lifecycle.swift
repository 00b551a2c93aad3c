import Synchronization

/// How far a stop has come; it only goes forward.
final class Lifecycle: Sendable {
    enum Phase: Int {
        case serving
        /// Not ready; still serves.
        case leaving
        /// Refuses what is new, and every response ends its connection.
        case closed
    }

    private let state = Mutex(Phase.serving)

    var phase: Phase { state.withLock { $0 } }

    func advance(to next: Phase) {
        state.withLock { if next.rawValue > $0.rawValue { $0 = next } }
    }
}
