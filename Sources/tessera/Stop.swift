import Dispatch
import Foundation
import HTTPServer
import Logging
import Synchronization
import TokenService

/// What SIGTERM and SIGINT do: the service is no longer ready, then stops listening, finishes the accepted requests,
/// and ends. A second signal ends it at once, unless it comes within `echo` of the first.
final class Stop: Sendable {
    private let service: TokenService
    private let server: HTTPServer
    private let logger: Logger
    private let drainDelay: Duration
    private let grace: Duration
    /// When the first signal came.
    private let begun = Mutex<ContinuousClock.Instant?>(nil)

    /// Signals within this time of the first count as the first: GNU timeout signals its child and then the group that
    /// the child is in.
    private static let echo = Duration.seconds(1)

    init(service: TokenService, server: HTTPServer, logger: Logger, drainDelay: Duration, grace: Duration) {
        self.service = service
        self.server = server
        self.logger = logger
        self.drainDelay = drainDelay
        self.grace = grace
    }

    /// The signals' sources, which work for as long as they are referenced.
    func watchSignals() -> [any DispatchSourceSignal] {
        [SIGTERM, SIGINT].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler { self.begin(number) }
            source.resume()
            return source
        }
    }

    private func begin(_ number: Int32) {
        let now = ContinuousClock.now
        let first = begun.withLock { begun in
            defer { begun = begun ?? now }
            return begun
        }
        if let first {
            guard now - first >= Self.echo else {
                return logger.info("signal \(number) within a second of the first: the same stop")
            }
            logger.warning("second signal: ending at once")
            Logs.exit(1)
        }
        logger.info("signal \(number): draining")
        service.beginDrain()
        DispatchQueue.global().asyncAfter(deadline: .now() + drainDelay / .seconds(1)) { self.close() }
    }

    private func close() {
        service.refuseRequests()
        server.shutdown(grace: grace) { [self] lost in
            service.finish(grace: .zero) { [self] left in
                if lost == 0 {
                    logger.info("stopped")
                    Logs.exit(0)
                }
                logger.error("stopped after the grace of \(grace): \(lost) requests lost, \(left) images unfinished")
                Logs.exit(1)
            }
        }
    }
}
