import ArgumentParser
import Batching
import Dispatch
import Foundation
import HTTPServer
import Logging
import Models
import Synchronization
import TokenService

/// `tessera serve`: the service.
struct Serve: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serves models over HTTP.",
        discussion: """
            Listens at once; answers 503 until the models are loaded and warm. SIGTERM and SIGINT finish what was
            accepted; a second one ends at once, unless it comes within a second of the first. SIGHUP reads the API keys
            and the models' folders again: what they hold now serves once it is loaded and warm; where it can't be, all
            stays as it was.

            Every setting can be given as a flag, as the environment variable in its help (lists between line feeds or
            semicolons), or under the flag's name in a YAML file; the first of these three that gives it counts.

            Examples:
              tessera serve
              tessera serve --model models/sftok-b
              tessera serve --listen 127.0.0.1:8080 --model b=models/sftok-b --model r=models/revq-512t
              tessera serve --config tessera.yaml --print-config
            """)

    @OptionGroup var options: ServeOptions

    @Option(help: "A YAML file of settings. (\(Serve.configVariable))")
    var config: String?

    @Flag(help: "Print the settings in force, each with where it comes from, as a file for --config; then end.")
    var printConfig = false

    private static let configVariable = "TESSERA_CONFIG"

    func validate() throws {
        do {
            _ = try ResolvedSettings(flags: options)
        } catch {
            throw ValidationError("\(error)")
        }
    }

    func run() throws {
        let environment = Environment.texts
        let file = config ?? environment[Self.configVariable].flatMap { $0.isEmpty ? nil : $0 }
        let resolved = try ResolvedSettings(
            flags: options, environment: environment, file: file.map { try SettingsFile.load($0) })
        let settings = resolved.settings
        let keys = try KeyFile.keys(
            file: settings.apiKeyFile, environment: ProcessInfo.processInfo.environment)
        guard !printConfig else {
            let secrets = [KeyFile.variable].filter { !(environment[$0] ?? "").isEmpty }
            return try Files.write(Array(resolved.yaml(file: file, secrets: secrets).utf8), to: nil)
        }
        let sources = try Self.checkedSources(settings)
        // A reader of the log that closes its pipe must not end the service.
        signal(SIGPIPE, SIG_IGN)
        Self.raiseDescriptorLimit()
        Allocator.keepLittle()
        Logs.start(settings.logFormat, level: settings.logLevel)
        try Self.serve(settings, sources, keys)
    }

    /// Errors that can be found without loading a model are thrown before the service listens.
    private static func checkedSources(_ settings: ServeSettings) throws -> [ModelSource] {
        let sources = try settings.sources()
        for source in sources { try ModelLoader.checkFiles(source) }
        if let twin = Dictionary(grouping: sources, by: \.id).first(where: { $0.value.count > 1 }) {
            throw CommandFailure("--model: the id '\(twin.key)' is given \(twin.value.count) times")
        }
        return sources
    }

    private static func serve(_ settings: ServeSettings, _ sources: [ModelSource], _ keys: [String]?) throws {
        let logger = Logger(label: "tessera")
        if settings.models.isEmpty, let source = sources.first {
            logger.info("no model is named: serving \(source.id) from \(source.folder)")
        }
        if let warning = ThreadOptions.warning(threads: settings.threads) { logger.warning("\(warning)") }
        let known = keys.map { APIKeys($0) }
        let service = TokenService(configuration: settings.serviceConfiguration(keys: known, logger: logger))
        let server = HTTPServer(configuration: settings.serverConfiguration, handler: service)
        for address in try server.start() { logger.info("listening on \(address)") }
        service.start(sources, threads: settings.threads, imagesAtOnce: settings.imagesSideBySide) {
            log($0, logger)
        } whenSettled: { state in
            switch state {
            case .failed(let message):
                logger.critical("\(message)")
                Logs.exit(1)
            default: logger.info("\(state)")
            }
        }
        let stop = Stop(
            service: service, server: server, logger: logger, drainDelay: .seconds(settings.drainDelay),
            grace: .seconds(settings.grace))
        let reload = Reload(logger: logger)
        if let file = settings.apiKeyFile, let known {
            reload.add("API keys") {
                let keys = try KeyFile.keys(file: file, environment: ProcessInfo.processInfo.environment) ?? []
                known.replace(with: keys)
                return "\(keys.count) keys"
            }
        }
        reload.add("models") { try reloadModels(service, sources, settings, logger) }
        let running = (stop.watchSignals(), reload.watchSignal(), Allocator.giveBackRegularly())
        withExtendedLifetime(running) { dispatchMain() }
    }

    /// Returns when the reload has ended.
    private static func reloadModels(
        _ service: TokenService, _ sources: [ModelSource], _ settings: ServeSettings, _ logger: Logger
    ) throws -> String {
        let ended = DispatchSemaphore(value: 0)
        let outcome = Mutex(Result<Void, ReloadFailure>.success(()))
        service.reload(sources, threads: settings.threads, imagesAtOnce: settings.imagesSideBySide) {
            log($0, logger)
        } completion: { result in
            outcome.withLock { $0 = result }
            ended.signal()
        }
        ended.wait()
        try outcome.withLock { $0 }.get()
        return sources.map(\.id).joined(separator: ", ")
    }

    private static func log(_ description: ModelDescription, _ logger: Logger) {
        for warning in description.warnings { logger.warning("\(warning)") }
        logger.info("loaded \(description.id)", metadata: metadata(description))
    }

    /// Every connection takes a descriptor; the soft limit is often 1,024.
    private static func raiseDescriptorLimit() {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    }

    private static func metadata(_ description: ModelDescription) -> Logger.Metadata {
        let contract = description.contract
        return [
            "architecture": "\(contract.architecture)", "tokens": .stringConvertible(contract.tokensPerImage),
            "codes": .stringConvertible(contract.codebookSize), "precision": "\(contract.precision.rawValue)",
            "instructions": "\(description.instructions)",
            "contract": "\(contract.fingerprint)", "weights": "\(description.packed == nil ? "read" : "mapped")",
        ]
    }
}
