import ArgumentParser
import ImageInput
import TokenFormats
import TokenizerCore

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

/// `--id-space`, of the commands that print or read ids.
struct IDSpaceOption: ParsableArguments {
    @Option(name: .customLong("id-space"), help: "Numbers of the tokens: local or global.")
    var idSpace: IDSpace = .local
}

extension Assignment: ExpressibleByArgument {}
extension IDSpace: ExpressibleByArgument {}
extension PictureOptions.Orientation: ExpressibleByArgument {}
extension PictureOptions.Alpha: ExpressibleByArgument {}
