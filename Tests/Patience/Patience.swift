import Dispatch
import Glibc
import Synchronization

/// How long tests wait for what takes milliseconds in a correct build: long enough for a slow machine, short enough
/// that a broken build fails soon.
package enum Patience {
    /// 20 s, or as many seconds as `TESSERA_TEST_PATIENCE` says: sanitizers need more.
    package static let whole = Duration.seconds(
        getenv("TESSERA_TEST_PATIENCE").flatMap { Int(String(cString: $0)) } ?? 20)
    /// Waits of this process that ended without what they waited for.
    private static let failures = Atomic<Int>(0)

    /// Half as long with every wait that has failed, down to a second: where one part is broken, dozens of tests wait
    /// for it, two at once, and would take minutes to say the same.
    package static var limit: Duration {
        max(whole / (1 << min(failures.load(ordering: .relaxed), 16)), .seconds(1))
    }
    /// For what computes: real models, processes of their own.
    package static var long: Duration { limit * 3 }

    /// Tells that a wait has failed.
    package static func runOut() { failures.add(1, ordering: .relaxed) }

    /// Looks every `pause` microseconds whether `condition` holds.
    ///
    /// - Returns: whether it did within `limit`, by the steady clock.
    package static func eventually(
        within limit: Duration = limit, pause: UInt32 = 1000, _ condition: () throws -> Bool
    ) rethrows -> Bool {
        let end = ContinuousClock.now + limit
        while try !condition() {
            guard .now < end else {
                Patience.runOut()
                return false
            }
            usleep(pause)
        }
        return true
    }

    /// Waits second by second, as a longer time-out of the system's follows the calendar's clock, which may be set in
    /// between.
    fileprivate static func wait(
        within limit: Duration, _ wait: (_ timeout: DispatchTime) -> DispatchTimeoutResult
    ) -> Bool {
        let end = ContinuousClock.now + limit
        while wait(.now() + 1) != .success {
            guard .now < end else {
                runOut()
                return false
            }
        }
        return true
    }
}

extension DispatchSemaphore {
    /// Waits for a signal.
    ///
    /// - Returns: whether there was one within `limit`, by the steady clock.
    package func comes(within limit: Duration = Patience.limit) -> Bool {
        Patience.wait(within: limit) { wait(timeout: $0) }
    }
}

extension DispatchGroup {
    /// Waits until all have left.
    ///
    /// - Returns: whether they had within `limit`, by the steady clock.
    package func comes(within limit: Duration = Patience.limit) -> Bool {
        Patience.wait(within: limit) { wait(timeout: $0) }
    }
}
