import Foundation
import HTTPServer
import Logging
import Models
import TokenService
import TokenizerCore

/// Everything `tessera serve` can be told, with its defaults. `Setting.all` has the names, ranges and sources.
struct ServeSettings: Equatable, Sendable {
    /// Which responses have a line in the log.
    enum AccessLogChoice: String, CaseIterable, Sendable {
        case off
        /// All but those to probes.
        case on
        case all
    }

    var listen = ["127.0.0.1:8080"]
    var models: [String] = []
    var vae: String?
    var preprocessor: String?
    var precision = Precision.fp32
    var threads: Int?
    var imagesAtOnce: Int?
    var maxBatch = 8
    /// In milliseconds.
    var maxDelay = 0
    var queuedImages = 256
    var imagesPerRequest = 64
    /// In seconds, as all below but `connections`; 0: any time.
    var longestWait = 8
    var requestTimeout = 60
    var connections = 10_000
    var headerTimeout = 10
    var idleTimeout = 15
    var drainDelay = 0
    var grace = 30
    var apiKeyFile: String?
    var metricsAuth = false
    var corsOrigins: [String] = []
    var logFormat = LogFormat.text
    var logLevel = Logger.Level.info
    var accessLog = AccessLogChoice.on
}

extension ServeSettings {
    /// A layer of one image has work for about 8 threads. More than threads, or than a batch has, would wait for
    /// nothing.
    func imagesSideBySide(threads: Int) -> Int { min(imagesAtOnce ?? max(1, threads / 8), threads, maxBatch) }

    var imagesSideBySide: Int { imagesSideBySide(threads: threads ?? ModelLoader.availableProcessors) }

    /// The models to load; the built-in one where none is named.
    func sources() throws -> [ModelSource] {
        let named = try models.map { try ModelSource(parsing: $0) }
        return try (named.isEmpty ? [DefaultModel.builtIn(expected: "--model FOLDER")] : named).map { source in
            var source = source
            source.vae = source.vae ?? vae
            source.preprocessor = source.preprocessor ?? preprocessor
            source.precision = source.precision ?? precision
            return source
        }
    }

    /// - Parameters:
    ///   - keys: `nil`: none are needed.
    ///   - logger: of the access log.
    func serviceConfiguration(keys: APIKeys?, logger: Logger) -> ServiceConfiguration {
        var configuration = ServiceConfiguration()
        configuration.limits.queuedImages = queuedImages
        configuration.limits.imagesPerRequest = imagesPerRequest
        configuration.preprocessingWidth = threads ?? ModelLoader.availableProcessors
        configuration.maxBatch = maxBatch
        configuration.longestWait = longestWait == 0 ? nil : .seconds(longestWait)
        configuration.maxDelay = .milliseconds(maxDelay)
        configuration.requestTimeout = .seconds(requestTimeout)
        configuration.keys = keys
        configuration.metricsNeedKey = metricsAuth
        configuration.corsOrigins = corsOrigins.compactMap(CrossOrigin.normalized)
        if accessLog != .off { configuration.accessLog = AccessLog(logger, includesProbes: accessLog == .all) }
        return configuration
    }

    var serverConfiguration: HTTPServer.Configuration {
        var configuration = HTTPServer.Configuration(listen: listen)
        configuration.maximumConnections = connections
        configuration.limits.freshSilence = .seconds(headerTimeout)
        configuration.limits.headerTime = .seconds(headerTimeout)
        configuration.limits.keepAliveIdle = .seconds(idleTimeout)
        return configuration
    }
}
