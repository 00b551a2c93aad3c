import Dispatch
import Glibc

/// How long tests wait for what comes within milliseconds where nothing is broken: long enough for a slow machine, short
/// enough that a broken build fails soon.
package enum Patience {
    /// 20 s, or as many seconds as `TESSERA_TEST_PATIENCE` says: sanitizers need more.
    package static let limit = Duration.seconds(
        getenv("TESSERA_TEST_PATIENCE").flatMap { Int(String(cString: $0)) } ?? 20)
    /// For what computes: real models, processes of their own.
    package static let long = limit * 3

    /// Looks every `pause` microseconds whether `condition` holds.
    ///
    /// - Returns: whether it did within `limit`, by the steady clock.
    package static func eventually(
        within limit: Duration = limit, pause: UInt32 = 1000, _ condition: () throws -> Bool
    ) rethrows -> Bool {
        let end = ContinuousClock.now + limit
        while try !condition() {
            guard .now < end else { return false }
            usleep(pause)
        }
        return true
    }
}

extension DispatchSemaphore {
    /// Waits for a signal.
    ///
    /// - Returns: whether there was one within `limit`, by the steady clock: the system's own time-out follows the
    ///   calendar's, which may be set in between.
    package func comes(within limit: Duration = Patience.limit) -> Bool {
        let end = ContinuousClock.now + limit
        while wait(timeout: .now() + 1) != .success {
            guard .now < end else { return false }
        }
        return true
    }
}

extension DispatchGroup {
    /// Waits until all have left.
    ///
    /// - Returns: whether they had within `limit`, as of a semaphore.
    package func comes(within limit: Duration = Patience.limit) -> Bool {
        let end = ContinuousClock.now + limit
        while wait(timeout: .now() + 1) != .success {
            guard .now < end else { return false }
        }
        return true
    }
}
