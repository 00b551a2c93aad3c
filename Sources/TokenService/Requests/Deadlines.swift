import Batching
import Dispatch
import Synchronization

/// Ends requests whose deadline passes before they run.
final class Deadlines: Sendable {
    private struct Entry {
        let deadline: ContinuousClock.Instant
        weak let exchange: Exchange?
    }

    private struct State {
        var entries: [ObjectIdentifier: Entry] = [:]
        /// When to look next: the earliest deadline, or before it.
        var alarm: ContinuousClock.Instant?
    }

    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "tessera.deadlines")
    private let whenExpired: @Sendable () -> Void

    /// - Parameter whenExpired: after requests have ended so, once for all that expired together.
    init(whenExpired: @escaping @Sendable () -> Void) {
        self.whenExpired = whenExpired
    }

    /// Until `forget`.
    func watch(_ exchange: Exchange, until deadline: ContinuousClock.Instant) {
        let entry = Entry(deadline: deadline, exchange: exchange)
        let alarm: ContinuousClock.Instant? = state.withLock { state in
            state.entries[ObjectIdentifier(exchange)] = entry
            if let alarm = state.alarm, alarm <= entry.deadline { return nil }
            state.alarm = entry.deadline
            return entry.deadline
        }
        if let alarm { set(alarm) }
    }

    /// Once it has its response.
    func forget(_ exchange: Exchange) {
        _ = state.withLock { $0.entries.removeValue(forKey: ObjectIdentifier(exchange)) }
    }

    private func set(_ alarm: ContinuousClock.Instant) {
        let span = max(.zero, alarm - .now)
        queue.asyncAfter(deadline: .now() + .nanoseconds(Int(span / .nanoseconds(1)))) { [weak self] in
            self?.fire(alarm)
        }
    }

    private func fire(_ alarm: ContinuousClock.Instant) {
        let now = max(ContinuousClock.now, alarm)
        let (due, next) = state.withLock { state in
            let due = state.entries.values.filter { $0.deadline <= now }.compactMap(\.exchange)
            // An earlier alarm has taken this one's place.
            guard state.alarm == alarm else { return (due, ContinuousClock.Instant?.none) }
            state.alarm = state.entries.values.map(\.deadline).filter { $0 > now }.min()
            return (due, state.alarm)
        }
        let expired = due.filter { $0.cancellation.expire() }
        for exchange in expired { exchange.expire() }
        // Only now: a dropped job would end its request itself.
        if !expired.isEmpty { whenExpired() }
        if let next { set(next) }
    }
}
