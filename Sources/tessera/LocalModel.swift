import ArgumentParser
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

    @Option(help: "Computing threads (default: the processors this process may use).")
    var threads: Int?

    func validate() throws {
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads is \(threads), expected 1 to 1024")
        }
    }

    func source(_ text: String) throws -> ModelSource {
        var source = try ModelSource(parsing: text)
        source.vae = source.vae ?? vae
        source.preprocessor = source.preprocessor ?? preprocessor
        return source
    }
}

/// One model for the commands that work on files.
struct LocalModel: ParsableArguments {
    @Option(help: "The model: [ID=]FOLDER[,vae=FOLDER][,preprocessor=FILE].")
    var model: String

    @OptionGroup var locations: ModelLocations

    func load() throws -> LoadedModel {
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
    @Option(help: "SFTok: seed of the noise.")
    var seed: Int64 = 0

    @Option(help: "SFTok: decoder steps, 1 to 64 (default: the model's).")
    var steps: Int?

    @Option(help: "SFTok: scale of the noise, 0 to 100 (default: the model's).")
    var temperature: Float?

    func validate() throws {
        if seed < 0 { throw ValidationError("--seed is \(seed), expected 0 to \(Int64.max)") }
    }

    var parameters: DecodeParameters {
        var parameters = DecodeParameters()
        parameters.decode = DecodeOptions(seed: UInt64(seed), steps: steps, temperature: temperature)
        return parameters
    }
}

extension Assignment: ExpressibleByArgument {}
extension IDSpace: ExpressibleByArgument {}
extension PictureOptions.Orientation: ExpressibleByArgument {}
extension PictureOptions.Alpha: ExpressibleByArgument {}

/// Files that commands read and write.
enum Files {
    /// The whole of a file; `-` is standard input.
    static func read(_ path: String) throws -> [UInt8] {
        do {
            if path == "-" { return Array(try FileHandle.standardInput.readToEnd() ?? Data()) }
            return Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        } catch {
            throw CommandFailure("\(path): cannot be read: \(error.localizedDescription)")
        }
    }

    /// To `path`, or to standard output where it is `nil`.
    static func write(_ bytes: [UInt8], to path: String?) throws {
        do {
            if let path {
                try Data(bytes).write(to: URL(fileURLWithPath: path))
            } else {
                try FileHandle.standardOutput.write(contentsOf: Data(bytes))
            }
        } catch {
            throw CommandFailure("\(path ?? "standard output"): cannot be written: \(error.localizedDescription)")
        }
    }

    /// One file to `out`, several into the folder `out`, which is made.
    static func write(_ files: [(name: String, bytes: [UInt8])], to out: String) throws {
        var isFolder: ObjCBool = false
        let exists = FileManager.default.fileExists(atPath: out, isDirectory: &isFolder)
        if files.count == 1, !(exists && isFolder.boolValue) { return try write(files[0].bytes, to: out) }
        do {
            try FileManager.default.createDirectory(atPath: out, withIntermediateDirectories: true)
        } catch {
            throw CommandFailure("\(out): cannot be made: \(error.localizedDescription)")
        }
        for file in files { try write(file.bytes, to: "\(out)/\(file.name)") }
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
