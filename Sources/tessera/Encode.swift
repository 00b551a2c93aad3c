import ArgumentParser
import FilePaths
import TokenFormats
import TokenizerCore

/// `tessera encode`: images to tokens, in the bytes of the server's response.
struct Encode: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Turns pictures into tokens.",
        discussion: """
            Prints what POST /v1/encode answers, byte for byte.

            Examples:
              tessera encode photo.jpg
              tessera encode --model models/sftok-b photo.jpg
              tessera encode --model models/sftok-b --npy --out tokens.npy *.png
            """)

    @OptionGroup var model: NamedModel
    @OptionGroup var picture: PictureArguments

    @Flag(help: "Add each token's margin: how much farther the runner-up code is.")
    var margin = false

    @OptionGroup var ids: IDSpaceOption

    @Flag(help: "An .npy array (N, T) in place of JSON.")
    var npy = false

    @Option(help: "File to write (default: standard output).")
    var out: Path?

    @Argument(help: "PNG or JPEG files; - is standard input.")
    var files: [Path]

    func validate() throws {
        if npy, margin { throw ValidationError("--margin has no place in an .npy array") }
    }

    func run() throws {
        if let out { try Files.requireWritable(out) }
        let loaded = try model.load()
        let contract = loaded.description.contract
        var parameters = try picture.parameters(for: contract)
        parameters.encode.wantsMargins = margin
        let answered = parameters.contract(of: contract)
        var results: [Result<EncodedImage, FormatError>] = []
        for file in files {
            do {
                results.append(.success(try encode(file, loaded.tokenizer, parameters)))
            } catch let error as FormatError {
                standardError("\(file): \(error)")
                guard files.count > 1, !npy else { throw ExitCode.failure }
                results.append(.failure(error))
            }
        }
        let images = results.compactMap { try? $0.get() }
        let answer =
            npy
            ? ResponseJSON.tokenArray(images, contract: answered, idSpace: ids.idSpace)
            : ResponseJSON.tokens(results, model: loaded.description.id, contract: answered, idSpace: ids.idSpace)
        try Files.write(answer, to: out)
        if images.count < results.count { throw ExitCode.failure }
    }

    private func encode(
        _ file: Path, _ tokenizer: any Tokenizer, _ parameters: EncodeParameters
    ) throws -> EncodedImage {
        let prepared = try Files.picture(file, parameters, for: tokenizer.contract)
        return EncodedImage(
            source: prepared.source, tokens: try tokenizer.encode(prepared.image, options: parameters.encode))
    }
}
