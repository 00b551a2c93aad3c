import ArgumentParser
import Batching
import Dispatch
import Foundation
import HTTPServer
import Logging
import Models
import TokenService

/// `tessera serve`: the service.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serves models over HTTP.",
        discussion: """
            Listens at once; answers 503 until the models are loaded and warm. SIGTERM and SIGINT finish what was
            accepted; a second one ends at once. SIGHUP reads the models' folders again: what they hold now serves once
            it is loaded and warm; where it can't be, all stays as it was.

            Examples:
              tessera serve
              tessera serve --model models/sftok-b
              tessera serve --listen 127.0.0.1:8080 --model b=models/sftok-b --model r=models/revq-512t
            """)

    @Option(help: "HOST:PORT, [IPV6]:PORT or unix:PATH; repeatable.")
    var listen: [String] = ["127.0.0.1:8080"]

    @Option(
        help: """
            A model: [ID=]FOLDER[,vae=FOLDER][,preprocessor=FILE]; repeatable (default: \(DefaultModel.variable), else \
            the built-in one).
            """)
    var model: [String] = []

    @OptionGroup var locations: ModelLocations

    @Option(name: .customLong("max-batch"), help: "Images in a batch at most.")
    var maxBatch = 8

    @Option(name: .customLong("max-delay-ms"), help: "How long the oldest image waits for company.")
    var maxDelay = 0

    @Option(name: .customLong("queued-images"), help: "Images between arrival and answer at most.")
    var queuedImages = 256

    @Option(name: .customLong("images-per-request"), help: "Images of one request at most.")
    var imagesPerRequest = 64

    @Option(name: .customLong("request-timeout"), help: "Seconds from a request's arrival to its run.")
    var requestTimeout = 60

    @Option(help: "Connections at most.")
    var connections = 10_000

    @Option(name: .customLong("drain-delay"), help: "Seconds between a signal and the end of listening.")
    var drainDelay = 0

    @Option(help: "Seconds that accepted requests have to finish.")
    var grace = 30

    func validate() throws {
        let ranges: [(String, Int, ClosedRange<Int>)] = [
            ("--max-batch", maxBatch, 1...1024), ("--max-delay-ms", maxDelay, 0...60_000),
            ("--queued-images", queuedImages, 1...1_000_000), ("--images-per-request", imagesPerRequest, 1...10_000),
            ("--request-timeout", requestTimeout, 1...86_400), ("--connections", connections, 1...1_000_000),
            ("--drain-delay", drainDelay, 0...3600), ("--grace", grace, 0...3600),
        ]
        for (name, value, range) in ranges where !range.contains(value) {
            throw ValidationError("\(name) is \(value), expected \(range.lowerBound) to \(range.upperBound)")
        }
    }

    func run() throws {
        // A log's reader that goes away must not take the service along.
        signal(SIGPIPE, SIG_IGN)
        Self.raiseDescriptorLimit()
        LoggingSystem.bootstrap { StreamLogHandler.standardError(label: $0) }
        let logger = Logger(label: "tessera")
        let sources = try sources(logger)
        // What can be told without loading is told before anybody can connect.
        for source in sources { try ModelLoader.checkFiles(source) }
        if let twin = Dictionary(grouping: sources, by: \.id).first(where: { $0.value.count > 1 }) {
            throw CommandFailure("--model: the id '\(twin.key)' is given \(twin.value.count) times")
        }
        let service = TokenService(configuration: serviceConfiguration)
        var configuration = HTTPServer.Configuration(listen: listen)
        configuration.maximumConnections = connections
        let server = HTTPServer(configuration: configuration, handler: service)
        for address in try server.start() { logger.info("listening on \(address)") }
        service.start(sources, threads: locations.threads) {
            Self.log($0, logger)
        } whenSettled: { state in
            switch state {
            case .failed(let message):
                standardError("error: \(message)")
                Foundation.exit(1)
            default: logger.info("\(state)")
            }
        }
        let stop = Stop(
            service: service, server: server, logger: logger, drainDelay: .seconds(drainDelay), grace: .seconds(grace))
        let reload = Reload(logger: logger)
        reload.add("models") { reloadModels(service, sources, logger) }
        withExtendedLifetime(stop.watchSignals() + [reload.watchSignal()]) { dispatchMain() }
    }

    /// Returns when it is over.
    private func reloadModels(_ service: TokenService, _ sources: [ModelSource], _ logger: Logger) {
        let ended = DispatchSemaphore(value: 0)
        service.reload(sources, threads: locations.threads) {
            Self.log($0, logger)
        } completion: { result in
            switch result {
            case .success: logger.info("models reloaded")
            case .failure(.failed(let message)): logger.error("models not reloaded, those before stay: \(message)")
            case .failure(.notReady(let state)): logger.warning("models not reloaded: \(state)")
            case .failure(.busy): logger.warning("models not reloaded: they are being reloaded")
            }
            ended.signal()
        }
        ended.wait()
    }

    private static func log(_ description: ModelDescription, _ logger: Logger) {
        for warning in description.warnings { logger.warning("\(warning)") }
        logger.info("loaded \(description.id)", metadata: metadata(description))
    }

    private func sources(_ logger: Logger) throws -> [ModelSource] {
        guard model.isEmpty else { return try model.map { try locations.source($0) } }
        let source = try locations.source(nil)
        logger.info("no --model given: serving \(source.id) from \(source.folder)")
        return [source]
    }

    /// Every connection takes a descriptor; the soft limit is often 1,024.
    private static func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    private var serviceConfiguration: ServiceConfiguration {
        var configuration = ServiceConfiguration()
        configuration.limits.queuedImages = queuedImages
        configuration.limits.imagesPerRequest = imagesPerRequest
        configuration.preprocessingWidth = locations.threads ?? ModelLoader.availableProcessors
        configuration.maxBatch = maxBatch
        configuration.maxDelay = .milliseconds(maxDelay)
        configuration.requestTimeout = .seconds(requestTimeout)
        return configuration
    }

    private static func metadata(_ description: ModelDescription) -> Logger.Metadata {
        let contract = description.contract
        return [
            "architecture": "\(contract.architecture)", "tokens": "\(contract.tokensPerImage)",
            "codes": "\(contract.codebookSize)", "precision": "\(contract.precision)",
            "contract": "\(contract.fingerprint)",
        ]
    }
}
