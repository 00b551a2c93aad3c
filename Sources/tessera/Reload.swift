import Dispatch
import Foundation
import Logging
import Synchronization

/// What SIGHUP does: the actions in the order in which they were added, never two at once. The failure of one is
/// logged; the others run all the same.
final class Reload: Sendable {
    /// - Returns: what is in force now, for the log.
    typealias Action = @Sendable () throws -> String

    private let logger: Logger
    private let queue = DispatchQueue(label: "tessera.reload")
    private let actions = Mutex<[(name: String, run: Action)]>([])

    init(logger: Logger) {
        self.logger = logger
    }

    /// - Parameter action: runs on this object's queue and may block; an error that it throws is logged.
    func add(_ name: String, _ action: @escaping Action) {
        actions.withLock { $0.append((name, action)) }
    }

    /// The signal's source, which works for as long as it is referenced.
    func watchSignal() -> any DispatchSourceSignal {
        signal(SIGHUP, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: SIGHUP, queue: queue)
        source.setEventHandler { self.run() }
        source.resume()
        return source
    }

    func run() {
        let actions = actions.withLock { $0 }
        if actions.isEmpty { logger.info("SIGHUP: there is nothing to reload") }
        for action in actions {
            do {
                let told = try action.run()
                logger.info("reloaded \(action.name): \(told)")
            } catch {
                logger.error("\(action.name) not reloaded, nothing is changed: \(error)")
            }
        }
    }
}
