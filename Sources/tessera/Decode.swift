import ArgumentParser
import FilePaths
import ImageInput
import TokenFormats
import TokenizerCore

/// `tessera decode`: tokens to images.
struct Decode: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Turns tokens into pictures.",
        discussion: """
            A file holds what `tessera encode` prints, {"tokens": […]}, a list of ids, or an .npy array.
            Prints what POST /v1/decode answers as JSON; --out writes PNG files.

            Examples:
              tessera encode --model models/sftok-b photo.jpg > tokens.json
              tessera decode --model models/sftok-b --out photo-64.png tokens.json
            """)

    @OptionGroup var model: NamedModel
    @OptionGroup var sampling: SamplingArguments

    @OptionGroup var ids: IDSpaceOption

    @Option(help: "Refuse tokens unless this is the model's contract.")
    var contract: String?

    @Flag(help: "An .npy array (N, 256, 256, 3) in place of JSON or PNG.")
    var npy = false

    @Option(help: "PNG to write; a folder where there are several images (default: JSON on standard output).")
    var out: Path?

    @Argument(help: "Files of tokens; - is standard input.")
    var files: [Path]

    func run() throws {
        try checkOutput()
        let loaded = try model.load()
        let contract = loaded.description.contract
        var parameters = sampling.parameters
        parameters.idSpace = ids.idSpace
        parameters.contract = self.contract
        let tokens = try files.flatMap { try read($0, parameters, for: contract) }
        // Only now the number of images is known; nothing has been decoded yet.
        let path = try out.flatMap { npy ? nil : try Files.outputs($0, count: tokens.count) }
        var images: [(name: Path, image: RGBImage)] = []
        for (name, ids) in tokens {
            images.append((name, try loaded.tokenizer.decode(ids, options: parameters.decode)))
        }
        if npy {
            try Files.write(ResponseJSON.imageArray(images.map(\.image), contract: contract), to: out)
        } else if let path {
            for (name, image) in images { try Files.write(encodePNG(image), to: path(name)) }
        } else {
            try Files.write(
                ResponseJSON.images(images.map { Result<[UInt8], FormatError>.success(encodePNG($0.image)) }), to: nil
            )
        }
    }

    /// Checks of `--out` that need no model.
    private func checkOutput() throws {
        guard let out else { return }
        if npy { return try Files.requireWritable(out) }
        try Files.checkNames(files)
        if files.count > 1 { _ = try Files.outputs(out, count: files.count) }
    }

    /// The ids of each image in a file, with the name of the PNG to write.
    private func read(
        _ file: Path, _ parameters: DecodeParameters, for contract: TokenContract
    ) throws -> [(name: Path, ids: [Int32])] {
        var limits = ServiceLimits()
        // These limits are for requests to a server, not for files.
        limits.imagesPerRequest = .max
        limits.queuedImages = .max
        let bytes = try Files.read(file)
        do {
            let lists = try TokenFile.read(bytes, contract: contract, parameters: parameters, limits: limits)
            return lists.enumerated().map { index, ids in
                (Files.picture(named: file, lists.count > 1 ? "-\(index)" : ""), ids)
            }
        } catch {
            throw CommandFailure("\(file): \(error)")
        }
    }
}
