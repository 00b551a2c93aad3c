import ArgumentParser
import Evaluation
import FilePaths
import ImageInput
import JSON
import Models
import TokenFormats
import TokenizerCore

/// `tessera eval`: how close reconstructions are to their originals, and how evenly the codes are used.
struct Eval: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures a model on a folder of pictures: PSNR, SSIM, MS-SSIM, use of codes, speed.",
        discussion: """
            Every picture goes through its tokens and back and is measured against what the model saw: the picture \
            resized and cropped. SSIM and MS-SSIM are torchmetrics' (window 11, sigma 1.5, data range 1). Pictures \
            that come back exactly have an infinite PSNR, null in JSON, and are left out of its mean.

            Prints a table. --json writes more to a file: every picture, and entropy and perplexity at every position; \
            --json - prints that in place of the table. images/s is the model's time alone, one picture at a time. \
            Files that can't be read are named on standard error and skipped; the exit code is 1 if none could be read.

            LPIPS and rFID need pretrained networks that are not part of Tessera. --save-images FOLDER writes \
            FOLDER/original/NNNNN.png and FOLDER/reconstruction/NNNNN.png, which torch-fidelity reads:
              fidelity --gpu 0 --fid --input1 FOLDER/reconstruction --input2 FOLDER/original

            Examples:
              tessera eval --model models/revq-512t photos
              tessera eval --model models/sftok-b --json sftok-b.json --sheet sftok-b.png --limit 1000 imagenet/val
            """)

    /// Pairs on a contact sheet: what fits in 50 MB.
    private static let sheetPairs = 128

    @OptionGroup var model: NamedModel
    @OptionGroup var picture: PictureArguments
    @OptionGroup var sampling: SamplingArguments

    @Option(help: "File for all results as JSON; - is standard output, in place of the table.")
    var json: Path?

    @Option(help: "PNG of the first \(Eval.sheetPairs) originals above their reconstructions.")
    var sheet: Path?

    @Option(parsing: .unconditional, help: "Pictures in a row of --sheet, 1 to \(Eval.sheetPairs).")
    var columns = 8

    @Option(
        help:
            "New or empty folder, in none that is read, for all originals, as the model saw them, and reconstructions.")
    var saveImages: Path?

    @Option(parsing: .unconditional, help: "Take only the first so many pictures.")
    var limit: Int?

    @Argument(help: "Folders, with all below them, and PNG or JPEG files.")
    var paths: [Path]

    func validate() throws {
        guard (1...Self.sheetPairs).contains(columns) else {
            throw ValidationError("--columns is \(columns), expected 1 to \(Self.sheetPairs)")
        }
        if let limit, limit < 1 { throw ValidationError("--limit is \(limit), expected at least 1") }
    }

    func run() throws {
        if let json, json != "-" { try Files.requireWritable(json) }
        if let sheet { try Files.requireWritable(sheet) }
        let savePath = try saveImages.map { try Self.saveFolders($0, inputs: paths) }
        var unreadable: [(path: Path, reason: String)] = []
        let files = try Files.pictures(paths) { unreadable.append(($0, $1)) }
        let loaded = try model.load()
        let contract = loaded.description.contract
        let encode = try picture.parameters(for: contract)
        let decode = sampling.parameters
        try decode.check(for: contract)
        let pass = RoundTrip(tokenizer: loaded.tokenizer, encode: encode, decode: decode.decode)
        var report = EvaluationReport(model: loaded.description, encode: encode, decode: decode.decode, limit: limit)
        for (path, reason) in unreadable {
            standardError("\(path): \(reason)")
            report.skip(path, reason)
        }
        var pairs: [(original: RGBImage, reconstruction: RGBImage)] = []
        for file in limit.map({ Array(files.prefix($0)) }) ?? files {
            guard let original = read(file, contract, encode, &report) else { continue }
            if report.isEmpty { try pass.warmUp(original) }
            let result = try pass.run(original)
            if let savePath {
                let number = "\(report.evaluated)"
                let name = Path(String(repeating: "0", count: max(0, 5 - number.count)) + number + ".png")
                try Files.write(encodePNG(original), to: savePath("original", name))
                try Files.write(encodePNG(result.image), to: savePath("reconstruction", name))
            }
            if sheet != nil, pairs.count < Self.sheetPairs { pairs.append((original, result.image)) }
            try report.add(file, original: original, result)
        }
        guard !report.isEmpty else { throw CommandFailure("none of the pictures could be read") }
        try write(report, pairs)
    }

    /// The image as the model takes it; `nil` where the file can't be read, which is printed and counted.
    private func read(
        _ file: Path, _ contract: TokenContract, _ parameters: EncodeParameters, _ report: inout EvaluationReport
    ) -> RGBImage? {
        do {
            return try Files.picture(file, parameters, for: contract).image
        } catch {
            // A `CommandFailure` names its file itself.
            standardError(error is CommandFailure ? "\(error)" : "\(file): \(error)")
            report.skip(file, "\(error)")
            return nil
        }
    }

    /// Prints the table first, so that it isn't lost where a file can't be written.
    private func write(
        _ report: EvaluationReport, _ pairs: [(original: RGBImage, reconstruction: RGBImage)]
    ) throws {
        if json != "-" { try Files.write(Array(report.table().utf8), to: nil) }
        if let json { try Files.write(report.json().write() + [0x0A], to: json == "-" ? nil : json) }
        if let sheet, let image = ContactSheet.image(pairs, columns: columns) {
            try Files.write(encodePNG(image), to: sheet)
        }
    }

    /// Makes both folders. Files of an earlier run would be counted by programs that read the folder.
    private static func saveFolders(
        _ folder: Path, inputs: [Path]
    ) throws -> (_ part: Path, _ name: Path) -> Path {
        let parts: [Path] = ["original", "reconstruction"]
        try Files.requireOutside(folder, of: inputs, option: "--save-images")
        // A run that failed before its first image made both folders and wrote nothing into them.
        let spare = try contents(folder).filter { try !parts.contains($0) || !contents(folder.appending($0)).isEmpty }
        guard spare.isEmpty else {
            throw CommandFailure(
                "--save-images: \(folder) holds \(spare[0]) already, expected a new or an empty folder")
        }
        for part in parts { _ = try Files.outputs(Path(bytes: folder.appending(part).bytes + "/".utf8), count: 1) }
        return { folder.appending($0).appending($1) }
    }

    /// Names in a folder; none where it isn't there yet.
    private static func contents(_ folder: Path) throws(CommandFailure) -> [Path] {
        guard folder.exists else { return [] }
        guard folder.isFolder else { throw CommandFailure("--save-images: \(folder) is not a folder") }
        do throws(SystemError) {
            return try folder.entries()
        } catch {
            throw CommandFailure("--save-images: \(folder): cannot be listed: \(error)")
        }
    }
}

/// Encodes and decodes an image, and measures the time of each.
struct RoundTrip {
    struct Result {
        let ids: [Int32]
        let image: RGBImage
        let encodeTime: Duration
        let decodeTime: Duration
    }

    let tokenizer: any Tokenizer
    let encode: EncodeParameters
    let decode: DecodeOptions

    /// The first run takes longer than others, as it touches memory for the first time.
    func warmUp(_ picture: RGBImage) throws { _ = try run(picture) }

    func run(_ picture: RGBImage) throws -> Result {
        let clock = ContinuousClock()
        let start = clock.now
        let tokens = try tokenizer.encode(picture, options: encode.encode)
        let middle = clock.now
        let image = try tokenizer.decode(tokens.ids, options: decode)
        return Result(
            ids: tokens.ids, image: image, encodeTime: start.duration(to: middle),
            decodeTime: middle.duration(to: clock.now))
    }
}
