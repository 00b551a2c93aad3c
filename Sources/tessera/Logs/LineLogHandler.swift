import Foundation
import Logging
import Synchronization

/// swift-log's end of a `LogWriter`.
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
        if let own = event.metadata { all.merge(own) { $1 } }
        if let error = event.error { all["error"] = "\(error)" }
        writer.add(LogLine(event.level, event.message.description, metadata: all))
    }
}

/// The log of the process, on standard error.
enum Logs {
    private static let writer = Mutex<LogWriter?>(nil)

    /// Once. From here on the end of the process waits for what has been logged, half a second at most.
    static func start(_ format: LogFormat, level: Logger.Level) {
        let new = LogWriter(format) { LogWriter.write($0, to: STDERR_FILENO) }
        writer.withLock { $0 = new }
        atexit { Logs.writer.withLock { $0 }?.flush(within: 0.5) }
        LoggingSystem.bootstrap { _ in LineLogHandler(new, level: level) }
    }
}
