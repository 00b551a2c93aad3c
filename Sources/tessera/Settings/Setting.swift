import ArgumentParser
import HTTPServer
import Logging
import Models
import TokenService
import TokenizerCore

/// One setting of `tessera serve`: `max-batch` in the file is `--max-batch` among the flags and `TESSERA_MAX_BATCH` in
/// the environment. `all` declares each once; flag, variable, key of the file, help and errors are made of that, and
/// the default is the initial value of its field.
///
/// Not swift-configuration (1.4): its command-line provider has no help and no subcommands, its YAML provider keeps no
/// line numbers for errors, and neither notices names that it doesn't know.
struct Setting: Sendable {
    typealias Field<Value> = WritableKeyPath<ServeSettings, Value> & Sendable

    /// What a value is.
    enum Kind: Sendable, Equatable {
        case integer(ClosedRange<Int>)
        case bool
        case choice([String])
        case text
        /// Texts; in the environment between line feeds or semicolons, as a model's has commas.
        case list
    }

    let name: String
    let kind: Kind
    let summary: String
    /// - Throws: what was expected.
    let store: @Sendable (inout ServeSettings, [String]) throws(Expected) -> Void
    /// The values in force as text; `nil`: none.
    let read: @Sendable (ServeSettings) -> [String]?
    /// What is done without a value, where there is none by default.
    var otherwise: String?

    /// A value isn't what it should be.
    struct Expected: Error {
        let description: String
    }

    var variable: String { "TESSERA_" + name.uppercased().replacing("-", with: "_") }
    var flag: String { "--" + name }

    /// All of them, in the order in which they are printed.
    static let all: [Setting] = [
        .list(
            "listen", \.listen,
            "HOST:PORT (all addresses of a name), [IPV6]:PORT or unix:PATH; [::]:PORT takes IPv4 too, "
                + "[::]:PORT,ipv6only does not; repeatable."
        ) { text throws(Expected) in
            do { _ = try ListenRequest(text) } catch { throw Expected(description: "\(error)") }
        },
        .list(
            "model", \.models,
            """
            A model: [ID=]FOLDER[,vae=FOLDER][,preprocessor=FILE][,precision=WORD]; up to the first comma a folder \
            where there is one of that name, equals sign and all, else split at the first equals sign; repeatable.
            """,
            otherwise: "the built-in model"
        ) { text throws(Expected) in
            do {
                _ = try ModelSource(parsing: text, from: "model")
            } catch {
                throw Expected(description: "\(error)")
            }
        },
        .text("vae", \.vae, "The DC-AE's folder of every model that names none.", otherwise: "none"),
        .text(
            "preprocessor", \.preprocessor, "The preprocessor's file of every model that names none.",
            otherwise: "none"),
        .choice(
            "precision", \.precision, "What every model that names none computes in.",
            Precision.allCases),
        .optionalInteger(
            "threads", 1...1024, \.threads, "Computing threads.",
            otherwise: "the processors this process may use"),
        .optionalInteger(
            "images-at-once", 1...256, \.imagesAtOnce,
            "Images of a batch computed side by side; they divide the threads.", otherwise: "one for every 8 threads"),
        .integer("max-batch", 1...1024, \.maxBatch, "Images in a batch at most."),
        .integer(
            "max-delay-ms", 0...60_000, \.maxDelay,
            "Milliseconds that the oldest image waits for others to form a batch."),
        .integer(
            "queued-images", 1...1_000_000, \.queuedImages,
            "Images between arrival and response at most."),
        .integer(
            "longest-wait", 0...86_400, \.longestWait,
            """
            Seconds of queued work before a request above which it is refused (429); one full batch is always \
            accepted; 0 for no limit.
            """
        ),
        .integer(
            "images-per-request", 1...10_000, \.imagesPerRequest,
            "Images of one request at most."),
        .integer(
            "request-timeout", 1...86_400, \.requestTimeout,
            "Seconds from a request's arrival within which its computing must begin, else it is refused (504)."),
        .integer("connections", 1...1_000_000, \.connections, "Connections at most."),
        .integer(
            "header-timeout", 1...86_400, \.headerTimeout,
            "Seconds for a request's header, and to a connection's first byte."),
        .integer(
            "idle-timeout", 1...86_400, \.idleTimeout,
            "Seconds that a connection may idle between requests."),
        .integer(
            "drain-delay", 0...3600, \.drainDelay,
            "Seconds between a signal and the end of listening."),
        .integer("grace", 0...3600, \.grace, "Seconds that accepted requests have to finish."),
        .text(
            "api-key-file", \.apiKeyFile,
            "API keys, one a line, read again at SIGHUP; \(KeyFile.variable), with commas, adds to them.",
            otherwise: "no file"),
        .bool("metrics-auth", \.metricsAuth, "Whether /metrics needs a key too."),
        .list(
            "cors-origin", \.corsOrigins,
            "SCHEME://HOST[:PORT] whose pages may send requests and read responses; repeatable.", otherwise: "none"
        ) { text throws(Expected) in
            guard CrossOrigin.normalized(text) != nil else {
                throw Expected(description: "'\(text)' is not SCHEME://HOST[:PORT], as in https://example.org")
            }
        },
        .choice("log-format", \.logFormat, "How the log is written.", LogFormat.allCases),
        .choice("log-level", \.logLevel, "The least level that is logged.", Logger.Level.allCases),
        .choice(
            "access-log", \.accessLog, "A line for each response: to none, to all but probes, or to all.",
            ServeSettings.AccessLogChoice.allCases),
    ]

    /// The flag's help: what it is, what it takes, its default and its environment variable.
    var help: ArgumentHelp {
        let value = read(ServeSettings())?.joined(separator: ", ")
        let end = "(default: \(value ?? otherwise ?? "none"); \(variable))"
        switch kind {
        case .integer(let range):
            return "\(summary.dropLast()), \(range.lowerBound) to \(range.upperBound). \(end)"
        case .choice(let words): return "\(summary.dropLast()): \(words.joined(separator: ", ")). \(end)"
        case .bool, .text, .list: return "\(summary) \(end)"
        }
    }
}
