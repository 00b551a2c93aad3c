import Batching
import Dispatch
import Synchronization

/// Answers requests whose deadline passes before they run.
final class Deadlines: Sendable {
    private struct Entry {
        let deadline: ContinuousClock.Instant
        weak let context: RequestContext?
    }

    private struct State {
        var entries: [ObjectIdentifier: Entry] = [:]
        /// When to look next: the earliest deadline, or before it.
        var alarm: ContinuousClock.Instant?
    }

    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "tessera.deadlines")
    private let whenExpired: @Sendable () -> Void

    /// - Parameter whenExpired: after requests have been answered so, once for all that expired together.
    init(whenExpired: @escaping @Sendable () -> Void) {
        self.whenExpired = whenExpired
    }

    /// Until `forget`.
    func watch(_ context: RequestContext) {
        let entry = Entry(deadline: context.deadline, context: context)
        let alarm: ContinuousClock.Instant? = state.withLock { state in
            state.entries[ObjectIdentifier(context)] = entry
            if let alarm = state.alarm, alarm <= entry.deadline { return nil }
            state.alarm = entry.deadline
            return entry.deadline
        }
        if let alarm { set(alarm) }
    }

    /// From the end of a context's life.
    func forget(_ context: RequestContext) {
        _ = state.withLock { $0.entries.removeValue(forKey: ObjectIdentifier(context)) }
    }

    private func set(_ alarm: ContinuousClock.Instant) {
        let span = max(.zero, alarm - .now)
        queue.asyncAfter(deadline: .now() + .nanoseconds(Int(span / .nanoseconds(1)))) { [weak self] in
            self?.fire(alarm)
        }
    }

    private func fire(_ alarm: ContinuousClock.Instant) {
        let now = max(ContinuousClock.now, alarm)
        let (contexts, next) = state.withLock { state in
            // Held until after the lock: the end of a context's life takes it too.
            let contexts = state.entries.values.compactMap(\.context)
            // An earlier alarm has taken this one's place.
            guard state.alarm == alarm else { return (contexts, ContinuousClock.Instant?.none) }
            state.alarm = state.entries.values.map(\.deadline).filter { $0 > now }.min()
            return (contexts, state.alarm)
        }
        let expired = contexts.filter { $0.deadline <= now && $0.ticket.expire() }
        for context in expired { context.fail(.expired) }
        // Only now: a dropped job would answer its request itself.
        if !expired.isEmpty { whenExpired() }
        if let next { set(next) }
    }
}
