import ArgumentParser
import ImageInput
import TokenService
import TokenizerCore

/// `tessera decode`: tokens to pictures.
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

    @OptionGroup var model: LocalModel
    @OptionGroup var sampling: SamplingArguments

    @Option(name: .customLong("id-space"), help: "Numbers of the tokens: local or global.")
    var idSpace: IDSpace = .local

    @Option(help: "Refuse tokens unless this is the model's contract.")
    var contract: String?

    @Flag(help: "An .npy array (N, 256, 256, 3) in place of JSON or PNG.")
    var npy = false

    @Option(help: "PNG to write; a folder where there are several images (default: JSON on standard output).")
    var out: String?

    @Argument(help: "Files of tokens; - is standard input.")
    var files: [String]

    func run() throws {
        if out != nil, !npy { try Files.checkNames(files) }
        let loaded = try model.load()
        let contract = loaded.description.contract
        var parameters = sampling.parameters
        parameters.idSpace = idSpace
        parameters.contract = self.contract
        var images: [(name: String, image: RGBImage)] = []
        var limits = ServiceLimits()
        // Limits of a server's requests, not of files.
        limits.imagesPerRequest = .max
        limits.queuedImages = .max
        for file in files {
            do {
                let lists = try TokenFile.read(
                    Files.read(file), contract: contract, parameters: parameters, limits: limits)
                for (index, tokens) in lists.enumerated() {
                    let name = Files.stem(file) + (lists.count > 1 ? "-\(index)" : "") + ".png"
                    images.append((name, try loaded.tokenizer.decode(tokens, options: parameters.decode)))
                }
            } catch let error as ServiceError {
                throw CommandFailure("\(file): \(error)")
            }
        }
        if npy {
            try Files.write(Answers.pictureArray(images.map(\.image), contract: contract), to: out)
        } else if let out {
            let path = try Files.outputs(out, count: images.count)
            for (name, image) in images { try Files.write(encodePNG(image), to: path(name)) }
        } else {
            try Files.write(Answers.pictures(images.map { .success(encodePNG($0.image)) }), to: nil)
        }
    }
}
