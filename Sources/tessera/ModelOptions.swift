import ArgumentParser
import Models
import TokenizerCore

/// `--threads` of every command that computes.
struct ThreadOptions: ParsableArguments {
    @Option(
        name: .customLong("threads"), parsing: .unconditional,
        help: "Computing threads (default: the processors this process may use).")
    var count: Int?

    func validate() throws {
        if let count, !(1...1024).contains(count) {
            throw ValidationError("--threads is \(count), expected 1 to 1024")
        }
    }

    /// - Returns: the warning where there are more computing threads than processors; `nil`: none.
    static func warning(threads: Int?, processors: Int = ModelLoader.availableProcessors) -> String? {
        guard let threads, threads > processors else { return nil }
        return "--threads is \(threads), more than the \(processors) processors that this process may use: "
            + "\(threads) threads are used, which take turns and are slower than \(processors)"
    }

    /// Prints that warning.
    func warn() {
        if let warning = Self.warning(threads: count) { standardError("warning: \(warning)") }
    }
}

/// How a model is loaded, as every command that loads one takes it.
struct ModelOptions: ParsableArguments {
    @Option(help: "The DC-AE's folder of every model that names none.")
    var vae: String?

    @Option(help: "The preprocessor's file of every model that names none.")
    var preprocessor: String?

    @Option(help: "What every model that names none computes in: fp32, bf16 or int8.")
    var precision: Precision = .fp32

    @OptionGroup var threads: ThreadOptions

    /// The model that `text` names; `nil`: the default model, and `expected` is what its error asks for.
    func source(_ text: String?, expected: String) throws -> ModelSource {
        var source = try text.map { try ModelSource(parsing: $0) } ?? DefaultModel.source(expected: expected)
        source.vae = source.vae ?? vae
        source.preprocessor = source.preprocessor ?? preprocessor
        source.precision = source.precision ?? precision
        return source
    }
}

/// The model of the commands that take files: `--model` and how it is loaded.
struct NamedModel: ParsableArguments {
    @Option(
        help: """
            The model: [ID=]FOLDER[,vae=FOLDER][,preprocessor=FILE][,precision=WORD]; up to the first comma a folder \
            where there is one of that name, equals sign and all, else split at the first equals sign (default: \
            \(DefaultModel.variable), else the built-in one).
            """)
    var model: String?

    @OptionGroup var options: ModelOptions

    func load() throws -> LoadedModel {
        options.threads.warn()
        let source = try options.source(model, expected: "--model FOLDER")
        let loaded = try ModelLoader.load(source, threads: options.threads.count)
        for warning in loaded.description.warnings { standardError("warning: \(warning)") }
        return loaded
    }
}

/// The model of the commands that take nothing else: an argument, and how it is loaded.
struct ModelArgument: ParsableArguments {
    @Argument(
        help: """
            A model: FOLDER or ID=FOLDER[,vae=FOLDER][,preprocessor=FILE][,precision=WORD] (default: \
            \(DefaultModel.variable), else the built-in one).
            """)
    var model: String?

    @OptionGroup var options: ModelOptions

    var threads: Int? { options.threads.count }

    /// Warns of too many threads first.
    func source() throws -> ModelSource {
        options.threads.warn()
        return try options.source(model, expected: "FOLDER")
    }
}

extension Precision: ExpressibleByArgument {}
