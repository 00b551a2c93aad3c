import ArgumentParser
import Checkpoint
import FilePaths
import Glibc
import ImageInput
import Models
import TokenFormats
import TokenService
import TokenizerCore

/// Where models are, as every command takes it.
struct ModelLocations: ParsableArguments {
    @Option(help: "The DC-AE's folder of every model that names none.")
    var vae: String?

    @Option(help: "The preprocessor's file of every model that names none.")
    var preprocessor: String?

    @Option(help: "What every model that names none computes in: fp32, bf16 or int8.")
    var precision: Precision = .fp32

    @Option(parsing: .unconditional, help: "Computing threads (default: the processors this process may use).")
    var threads: Int?

    func validate() throws { try Self.check(threads: threads) }

    /// - Returns: what is to be told of more computing threads than processors; `nil`: nothing.
    static func warning(threads: Int?, processors: Int = ModelLoader.availableProcessors) -> String? {
        guard let threads, threads > processors else { return nil }
        return "--threads is \(threads), more than the \(processors) processors that this process may use: "
            + "\(threads) threads are used, which take turns and are slower than \(processors)"
    }

    /// Tells of more computing threads than processors.
    static func warn(threads: Int?) {
        if let warning = warning(threads: threads) { standardError("warning: \(warning)") }
    }

    static func check(threads: Int?) throws {
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads is \(threads), expected 1 to 1024")
        }
    }

    /// The model that `text` names; `nil`: the default model, and `expected` is what its error asks for.
    func source(_ text: String?, expected: String = "--model FOLDER") throws -> ModelSource {
        var source = try text.map { try ModelSource(parsing: $0) } ?? DefaultModel.source(expected: expected)
        source.vae = source.vae ?? vae
        source.preprocessor = source.preprocessor ?? preprocessor
        source.precision = source.precision ?? precision
        return source
    }
}

/// One model for the commands that work on files.
struct LocalModel: ParsableArguments {
    @Option(
        help: """
            The model: [ID=]FOLDER[,vae=FOLDER][,preprocessor=FILE][,precision=WORD]; up to the first comma a folder \
            where there is one of that name, equals sign and all, else split at the first equals sign (default: \
            \(DefaultModel.variable), else the built-in one).
            """)
    var model: String?

    @OptionGroup var locations: ModelLocations

    func load() throws -> LoadedModel {
        ModelLocations.warn(threads: locations.threads)
        let loaded = try ModelLoader.load(locations.source(model), threads: locations.threads)
        for warning in loaded.description.warnings { standardError("warning: \(warning)") }
        return loaded
    }
}

/// How pictures are read.
struct PictureArguments: ParsableArguments {
    @Option(help: "SFTok: sinkhorn or nearest (default: the model's).")
    var assignment: Assignment?

    @Option(help: "EXIF orientation: apply or ignore.")
    var exif: PictureOptions.Orientation = .apply

    @Option(help: "Transparency: over white or black, or drop it.")
    var alpha: PictureOptions.Alpha = .white

    func parameters(for contract: TokenContract) throws -> EncodeParameters {
        var parameters = EncodeParameters()
        parameters.encode.assignment = assignment
        parameters.picture.orientation = exif
        parameters.picture.alpha = alpha
        try parameters.check(for: contract)
        return parameters
    }
}

/// How tokens are decoded.
struct SamplingArguments: ParsableArguments {
    @Option(parsing: .unconditional, help: "SFTok: seed of the noise.")
    var seed: Int64 = 0

    @Option(parsing: .unconditional, help: "SFTok: decoder steps, 1 to 64 (default: the model's).")
    var steps: Int?

    @Option(parsing: .unconditional, help: "SFTok: scale of the noise, 0 to 100 (default: the model's).")
    var temperature: Float?

    func validate() throws {
        let seeds = DecodeParameters.seeds
        guard seeds.contains(seed) else {
            throw ValidationError("--seed is \(seed), expected \(seeds.lowerBound) to \(seeds.upperBound)")
        }
    }

    var parameters: DecodeParameters {
        var parameters = DecodeParameters()
        parameters.decode = DecodeOptions(seed: UInt64(seed), steps: steps, temperature: temperature)
        return parameters
    }
}

extension Assignment: ExpressibleByArgument {}
extension Precision: ExpressibleByArgument {}
extension IDSpace: ExpressibleByArgument {}
extension PictureOptions.Orientation: ExpressibleByArgument {}
extension PictureOptions.Alpha: ExpressibleByArgument {}

/// Files that commands read and write.
enum Files {
    /// To `path`, or to standard output where it is `nil`.
    static func write(_ bytes: [UInt8], to path: Path?) throws {
        guard let path else { return try write(bytes, to: STDOUT_FILENO, name: "standard output") }
        try requireWritable(path)
        let descriptor = path.open(O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC)
        guard descriptor >= 0 else { throw CommandFailure("\(path): cannot be written: \(SystemError())") }
        defer { close(descriptor) }
        try write(bytes, to: descriptor, name: "\(path)")
    }

    private static func write(_ bytes: [UInt8], to descriptor: Int32, name: String) throws {
        guard !LogWriter.write(bytes, to: descriptor) else { return }
        throw CommandFailure("\(name): cannot be written: \(SystemError())")
    }

    /// Where outputs go, by name: one to the file `out`; several, or where `out` is a folder or ends in a slash, into
    /// the folder `out`, which is made.
    static func outputs(_ out: Path, count: Int) throws -> (_ name: Path) -> Path {
        if count == 1, !out.endsInSlash, !out.isFolder {
            try requireWritable(out)
            return { _ in out }
        }
        try WritableFolder.make(out.description)
        try requireWritable(folder: out)
        return { out.appending($0) }
    }

    /// Refuses inputs whose outputs would have the same name, before anything is computed.
    static func checkNames(_ paths: [Path]) throws {
        let names = Dictionary(grouping: paths, by: \.stem)
        guard let (name, twins) = names.first(where: { $0.value.count > 1 }) else { return }
        let told = twins.map(\.description).joined(separator: " and ")
        throw CommandFailure("--out: \(told) would both be written as \(name).png")
    }

    /// The name of what is made of a file, "b.png" of "a/b.jpg".
    ///
    /// - Parameter mark: in ASCII, goes behind the file's own name.
    static func picture(named path: Path, _ mark: String = "") -> Path {
        Path(bytes: path.stem.bytes + mark.utf8 + ".png".utf8)
    }
}

/// A command that can't go on: one line.
struct CommandFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
