import ArgumentParser

/// The flags of `tessera serve` as they were given. What they mean is `Setting.all`'s to say; a flag that isn't given
/// leaves its setting to the environment, the file and the default. Numbers are taken as they come, so that of a
/// negative one its range is told.
struct ServeOptions: ParsableArguments {
    @Option(help: Setting.help("listen")) var listen: [String] = []
    @Option(help: Setting.help("model")) var model: [String] = []
    @Option(help: Setting.help("vae")) var vae: String?
    @Option(help: Setting.help("preprocessor")) var preprocessor: String?
    @Option(help: Setting.help("precision")) var precision: String?
    @Option(parsing: .unconditional, help: Setting.help("threads")) var threads: String?
    @Option(parsing: .unconditional, help: Setting.help("images-at-once")) var imagesAtOnce: String?
    @Option(parsing: .unconditional, help: Setting.help("max-batch")) var maxBatch: String?
    @Option(parsing: .unconditional, help: Setting.help("max-delay-ms")) var maxDelayMs: String?
    @Option(parsing: .unconditional, help: Setting.help("queued-images")) var queuedImages: String?
    @Option(parsing: .unconditional, help: Setting.help("longest-wait")) var longestWait: String?
    @Option(parsing: .unconditional, help: Setting.help("images-per-request")) var imagesPerRequest: String?
    @Option(parsing: .unconditional, help: Setting.help("request-timeout")) var requestTimeout: String?
    @Option(parsing: .unconditional, help: Setting.help("connections")) var connections: String?
    @Option(parsing: .unconditional, help: Setting.help("header-timeout")) var headerTimeout: String?
    @Option(parsing: .unconditional, help: Setting.help("idle-timeout")) var idleTimeout: String?
    @Option(parsing: .unconditional, help: Setting.help("drain-delay")) var drainDelay: String?
    @Option(parsing: .unconditional, help: Setting.help("grace")) var grace: String?
    @Option(help: Setting.help("api-key-file")) var apiKeyFile: String?
    @Flag(inversion: .prefixedNo, help: Setting.help("metrics-auth")) var metricsAuth: Bool?
    @Option(help: Setting.help("cors-origin")) var corsOrigin: [String] = []
    @Option(help: Setting.help("log-format")) var logFormat: String?
    @Option(help: Setting.help("log-level")) var logLevel: String?
    @Option(help: Setting.help("access-log")) var accessLog: String?
}
