import ArgumentParser
import Evaluation
import FilePaths
import ImageInput
import JSON
import TokenFormats
import TokenizerCore

/// `tessera reconstruct`: pictures through their tokens and back.
struct Reconstruct: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Sends pictures through their tokens and back, and measures what was lost.",
        discussion: """
            Prints a JSON object a file with PSNR (dB) and SSIM against the picture as the model saw it.

            Example:
              tessera reconstruct --model models/revq-512t --out photo-512.png photo.jpg
            """)

    @OptionGroup var model: NamedModel
    @OptionGroup var picture: PictureArguments
    @OptionGroup var sampling: SamplingArguments

    @Option(help: "PNG to write; a folder where there are several pictures.")
    var out: Path?

    @Flag(help: "Write to --out an .npy array (N, 256, 256, 3) in place of PNG.")
    var npy = false

    @Argument(help: "PNG or JPEG files; - is standard input.")
    var files: [Path]

    func validate() throws {
        if npy, out == nil { throw ValidationError("--npy needs --out: what is printed is a line a picture") }
    }

    func run() throws {
        let path = try writing()
        let loaded = try model.load()
        let contract = loaded.description.contract
        let parameters = try picture.parameters(for: contract)
        let decode = sampling.parameters
        try decode.check(for: contract)
        var images: [RGBImage] = []
        for file in files {
            do {
                let prepared = try Files.picture(file, parameters, for: contract)
                let tokens = try loaded.tokenizer.encode(prepared.image, options: parameters.encode)
                let image = try loaded.tokenizer.decode(tokens.ids, options: decode.decode)
                if npy { images.append(image) }
                if let path { try Files.write(encodePNG(image), to: path(Files.picture(named: file))) }
                try report(file, image, prepared.image)
            } catch let error as FormatError {
                throw CommandFailure("\(file): \(error)")
            }
        }
        if npy { try Files.write(ResponseJSON.imageArray(images, contract: contract), to: out) }
    }

    /// Where a picture goes by its name; `nil` where none is written.
    private func writing() throws -> ((_ name: Path) -> Path)? {
        guard let out else { return nil }
        if npy {
            try Files.requireWritable(out)
            return nil
        }
        try Files.checkNames(files)
        return try Files.outputs(out, count: files.count)
    }

    private func report(_ file: Path, _ image: RGBImage, _ reference: RGBImage) throws {
        let psnr = Quality.psnr(image, reference)
        let line: JSONValue = [
            "file": .string("\(file)"), "psnr": psnr.isFinite ? JSONValue(psnr) : .null,
            "ssim": Quality.ssim(image, reference).map { JSONValue($0) } ?? .null,
        ]
        try Files.write(line.write() + [0x0A], to: nil)
    }
}
