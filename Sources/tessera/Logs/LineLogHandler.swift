import Foundation
import Logging
import Synchronization

/// The swift-log handler that writes to a `LogWriter`.
struct LineLogHandler: LogHandler {
    let writer: LogWriter
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    init(_ writer: LogWriter, level: Logger.Level) {
        self.writer = writer
        logLevel = level
    }

    subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { $1 } }
        if let own = event.metadata {
            if all.isEmpty { all = own } else { all.merge(own) { $1 } }
        }
        if let error = event.error { all["error"] = "\(error)" }
        writer.add(LogLine(event.level, event.message.description, metadata: all))
    }
}

/// The log of the process, on standard error.
enum Logs {
    private static let writer = Mutex<LogWriter?>(nil)

    /// Once.
    static func start(_ format: LogFormat, level: Logger.Level) {
        let new = LogWriter(format) { LogWriter.write($0, to: STDERR_FILENO) }
        writer.withLock { $0 = new }
        LoggingSystem.bootstrap { _ in LineLogHandler(new, level: level) }
    }

    /// Ends the process once the log is written, half a second later at most. At once and without what libraries do at
    /// an exit: the engine's thread may still be in the middle of them.
    static func exit(_ status: Int32) -> Never {
        writer.withLock { $0 }?.flush(within: 0.5)
        _exit(status)
    }
}
