import ArgumentParser
import Checkpoint
import Foundation
import ImageInput
import Models
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
            The model: [ID=]FOLDER[,vae=FOLDER][,preprocessor=FILE][,precision=WORD]; up to the first comma a folder where \
            there is one of that name, equals sign and all, else split at the first equals sign (default: \
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
    static func write(_ bytes: [UInt8], to path: String?) throws {
        if let path { try requireWritable(path) }
        do {
            if let path {
                try Data(bytes).write(to: URL(fileURLWithPath: path))
            } else {
                try FileHandle.standardOutput.write(contentsOf: Data(bytes))
            }
        } catch {
            throw CommandFailure("\(path ?? "standard output"): cannot be written: \(reason(error))")
        }
    }

    /// Where outputs go, by name: one to the file `out`; several, or where `out` is a folder or ends in a slash, into
    /// the folder `out`, which is made.
    static func outputs(_ out: String, count: Int) throws -> (_ name: String) -> String {
        let isFolder = out.hasSuffix("/") || isDirectory(out)
        if count == 1, !isFolder {
            try requireWritable(out)
            return { _ in out }
        }
        try WritableFolder.make(out)
        try requireWritable(folder: out)
        return { "\(out)/\($0)" }
    }

    static func isDirectory(_ path: String) -> Bool {
        var isFolder: ObjCBool = false
        return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && isFolder.boolValue
    }

    /// The system's own word where there is one: Foundation's is long and names codes.
    static func reason(_ error: any Error) -> String {
        let underlying = (error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError
        guard let code = underlying?.code ?? (error as? POSIXError).map({ Int($0.code.rawValue) }) ?? number(error)
        else {
            return error.localizedDescription
        }
        return String(cString: strerror(Int32(truncatingIfNeeded: code)))
    }

    /// Foundation doesn't always keep what the system said.
    private static func number(_ error: any Error) -> Int? {
        switch (error as? CocoaError)?.code {
        case .fileNoSuchFile, .fileReadNoSuchFile: Int(ENOENT)
        case .fileReadNoPermission, .fileWriteNoPermission: Int(EACCES)
        case .fileWriteOutOfSpace: Int(ENOSPC)
        case .fileWriteVolumeReadOnly: Int(EROFS)
        default: nil
        }
    }

    /// Refuses inputs whose outputs would have the same name, before anything is computed.
    static func checkNames(_ paths: [String]) throws {
        let names = Dictionary(grouping: paths, by: stem)
        guard let (name, twins) = names.first(where: { $0.value.count > 1 }) else { return }
        throw CommandFailure("--out: \(twins.joined(separator: " and ")) would both be written as \(name).png")
    }

    /// "a/b.jpg" -> "b".
    static func stem(_ path: String) -> String {
        URL(fileURLWithPath: path).deletingPathExtension().lastPathComponent
    }
}

/// A command that can't go on: one line.
struct CommandFailure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
