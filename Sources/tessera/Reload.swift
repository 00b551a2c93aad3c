import Dispatch
import Foundation
import Logging
import Synchronization

/// What SIGHUP does: actions, one after the other. One that comes while they run has them run once more, however many
/// there were.
final class Reload: Sendable {
    private struct State {
        var actions: [(name: String, run: @Sendable () -> Void)] = []
        var isRunning = false
        var isWanted = false
    }

    private let logger: Logger
    private let state = Mutex(State())
    private let queue = DispatchQueue(label: "tessera.reload")

    init(logger: Logger) {
        self.logger = logger
    }

    /// - Parameter action: returns when it is over, and tells its own failure.
    func add(_ name: String, _ action: @escaping @Sendable () -> Void) {
        state.withLock { $0.actions.append((name, action)) }
    }

    /// The source, which works for as long as it is kept.
    func watchSignal() -> any DispatchSourceSignal {
        signal(SIGHUP, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGHUP, queue: .global())
        source.setEventHandler { self.request() }
        source.resume()
        return source
    }

    func request() {
        let starts = state.withLock { state in
            defer { state.isRunning = true }
            if state.isRunning { state.isWanted = true }
            return !state.isRunning
        }
        if starts { queue.async { repeat { self.run() } while self.isWantedAgain() } }
    }

    private func run() {
        let actions = state.withLock { $0.actions }
        logger.info("signal \(SIGHUP): reloading \(actions.map(\.name).joined(separator: ", "))")
        for action in actions { action.run() }
    }

    private func isWantedAgain() -> Bool {
        state.withLock { state in
            defer { state.isWanted = false }
            state.isRunning = state.isWanted
            return state.isWanted
        }
    }
}
