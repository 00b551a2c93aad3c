import Synchronization

/// How many connections are open, and who waits for that to change.
final class Occupancy: Sendable {
    private struct State {
        var count = 0
        var onRoom: (@Sendable () -> Void)?
        var onEmpty: [@Sendable () -> Void] = []
    }

    private let capacity: Int
    private let state = Mutex(State())

    init(capacity: Int) {
        self.capacity = capacity
    }

    var count: Int { state.withLock { $0.count } }

    /// Takes a place; if there is none, `onRoom` runs once when there is one again.
    func reserve(onRoom: @escaping @Sendable () -> Void) -> Bool {
        state.withLock { state in
            guard state.count < capacity else {
                let others = state.onRoom
                state.onRoom = {
                    others?()
                    onRoom()
                }
                return false
            }
            state.count += 1
            return true
        }
    }

    func release() {
        let (onRoom, onEmpty) = state.withLock { state in
            state.count -= 1
            let wake = (state.onRoom, state.count == 0 ? state.onEmpty : [])
            state.onRoom = nil
            if state.count == 0 { state.onEmpty = [] }
            return wake
        }
        onRoom?()
        for body in onEmpty { body() }
    }

    /// Runs `body` once when no connection is open; at once if none is.
    func whenEmpty(_ body: @escaping @Sendable () -> Void) {
        let isEmpty = state.withLock { state in
            if state.count == 0 { return true }
            state.onEmpty.append(body)
            return false
        }
        if isEmpty { body() }
    }
}
