import Dispatch
import Synchronization

/// Bytes that images in decoding may take together. A caller that finds no room waits, in the order of the calls.
///
/// Only for threads that hold nothing of it: they can't wait for each other in a ring.
public final class ByteBudget: Sendable {
    private struct State {
        var free: Int
        var waiting: [(bytes: Int, room: DispatchSemaphore)] = []
    }

    private let capacity: Int
    private let state: Mutex<State>

    public init(bytes: Int) {
        capacity = max(1, bytes)
        state = Mutex(State(free: max(1, bytes)))
    }

    /// Callers that have found no room yet.
    package var waiting: Int { state.withLock { $0.waiting.count } }

    /// Runs `body` while holding `bytes`; more than the whole budget counts as the whole.
    public func hold<R, E: Error>(_ bytes: Int, _ body: () throws(E) -> R) throws(E) -> R {
        let bytes = min(max(0, bytes), capacity)
        let room: DispatchSemaphore? = state.withLock { state in
            if state.waiting.isEmpty, bytes <= state.free {
                state.free -= bytes
                return nil
            }
            let room = DispatchSemaphore(value: 0)
            state.waiting.append((bytes, room))
            return room
        }
        room?.wait()
        defer { release(bytes) }
        return try body()
    }

    private func release(_ bytes: Int) {
        let woken = state.withLock { state in
            state.free += bytes
            var woken: [DispatchSemaphore] = []
            while let first = state.waiting.first, first.bytes <= state.free {
                state.free -= first.bytes
                woken.append(first.room)
                state.waiting.removeFirst()
            }
            return woken
        }
        for room in woken { room.signal() }
    }
}
