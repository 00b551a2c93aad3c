import Evaluation
import FilePaths
import Foundation
import ImageInput
import JSON
import Models
import TokenFormats
import TokenizerCore

/// What `tessera eval` measured.
struct EvaluationReport {
    private let model: ModelDescription
    private let options: JSONValue
    private var images: [JSONValue] = []
    private var skipped: [JSONValue] = []
    private var psnr = Summary()
    private var ssim = Summary()
    private var multiScale = Summary()
    private var codes: CodeStatistics
    private var encodeTime = Duration.zero
    private var decodeTime = Duration.zero

    init(model: ModelDescription, encode: EncodeParameters, decode: DecodeOptions, limit: Int?) {
        self.model = model
        let contract = model.contract
        codes = CodeStatistics(contract)
        let assignment = encode.encode.assignment ?? contract.assignments.first
        options = [
            "assignment": assignment.map { .string($0.rawValue) } ?? .null,
            "exif": .string(encode.picture.orientation.rawValue),
            "alpha": .string(encode.picture.alpha.rawValue),
            "seed": JSONValue(decode.seed),
            "steps": (decode.steps ?? contract.defaultSteps).map { JSONValue($0) } ?? .null,
            "temperature": (decode.temperature ?? contract.defaultTemperature).map { JSONValue($0) } ?? .null,
            "limit": limit.map { JSONValue($0) } ?? .null,
        ]
    }

    var evaluated: Int { images.count }
    var isEmpty: Bool { images.isEmpty }

    mutating func add(_ file: Path, original: RGBImage, _ result: RoundTrip.Result) throws {
        let ratio = Quality.psnr(result.image, original)
        let structure = Quality.structure(result.image, original)
        let name = file.description
        psnr.add(ratio, of: name)
        ssim.add(structure?.ssim, of: name)
        multiScale.add(structure?.multiScaleSSIM, of: name)
        try codes.add(result.ids)
        encodeTime += result.encodeTime
        decodeTime += result.decodeTime
        images.append([
            "file": .string(name), "psnr": Self.value(ratio), "ssim": Self.value(structure?.ssim),
            "ms_ssim": Self.value(structure?.multiScaleSSIM),
        ])
    }

    mutating func skip(_ file: Path, _ reason: String) {
        skipped.append(["file": .string("\(file)"), "error": .string(reason)])
    }

    /// Bits that the tokens of an image take with codes of one length, by pixel of the picture that the model sees.
    private var bitsPerPixel: Double {
        let contract = model.contract
        let pixels = Double(contract.preprocessing.size * contract.preprocessing.size)
        return Double(contract.tokensPerImage) * log2(Double(contract.codebookSize)) / pixels
    }

    private func perSecond(_ time: Duration) -> Double { Double(evaluated) / (time / .seconds(1)) }

    private static func value(_ number: Double?) -> JSONValue { number.map { JSONValue($0) } ?? .null }

    /// What the code statistics say in bits, and as perplexities.
    private struct CodeFigures {
        let positionEntropies: [Double]
        let positionPerplexities: [Double]
        let entropy: Double

        init(_ codes: CodeStatistics) {
            positionEntropies = codes.positionEntropies
            positionPerplexities = positionEntropies.map(CodeStatistics.perplexity)
            entropy = codes.entropy
        }

        var perplexity: Double { CodeStatistics.perplexity(entropy) }
        var positionEntropy: Double? { Self.mean(positionEntropies) }
        var positionPerplexity: Double? { Self.mean(positionPerplexities) }

        private static func mean(_ values: [Double]) -> Double? {
            values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
        }
    }
}

extension EvaluationReport {
    func json() -> JSONValue {
        let contract = model.contract
        return [
            "model": [
                "id": .string(model.id), "architecture": .string(contract.architecture),
                "contract": .string(contract.fingerprint), "tokens_per_image": JSONValue(contract.tokensPerImage),
                "codebook_size": JSONValue(contract.codebookSize),
                "per_position_codebooks": .bool(contract.perPositionCodebooks),
            ],
            "options": options,
            "pictures": ["evaluated": JSONValue(evaluated), "skipped": JSONValue(skipped)],
            "psnr": Self.json(psnr), "ssim": Self.json(ssim), "ms_ssim": Self.json(multiScale),
            "codes": codesJSON(), "bits_per_pixel": JSONValue(bitsPerPixel),
            "encode": Self.json(encodeTime, perSecond(encodeTime)),
            "decode": Self.json(decodeTime, perSecond(decodeTime)),
            "images": JSONValue(images),
        ]
    }

    private static func json(_ summary: Summary) -> JSONValue {
        func extreme(_ extreme: (name: String, value: Double)?) -> JSONValue {
            extreme.map { ["value": JSONValue($0.value), "file": .string($0.name)] } ?? .null
        }
        return [
            "mean": value(summary.mean), "standard_deviation": value(summary.standardDeviation),
            "lowest": extreme(summary.lowest), "highest": extreme(summary.highest),
            "infinite": JSONValue(summary.infinite),
        ]
    }

    private static func json(_ time: Duration, _ perSecond: Double) -> JSONValue {
        ["seconds": JSONValue(time / .seconds(1)), "images_per_second": JSONValue(perSecond)]
    }

    private func codesJSON() -> JSONValue {
        let figures = CodeFigures(codes)
        return [
            "codes": JSONValue(codes.codes), "used": JSONValue(codes.codesUsed), "usage": JSONValue(codes.usage),
            "entropy": JSONValue(figures.entropy), "perplexity": JSONValue(figures.perplexity),
            "position_entropy_mean": Self.value(figures.positionEntropy),
            "position_perplexity_mean": Self.value(figures.positionPerplexity),
            "position_entropies": JSONValue(figures.positionEntropies.map { JSONValue($0) }),
            "position_perplexities": JSONValue(figures.positionPerplexities.map { JSONValue($0) }),
        ]
    }
}

extension EvaluationReport {
    /// Lines of text, the last one ended too.
    func table() -> String {
        let contract = model.contract
        let figures = CodeFigures(codes)
        let rows: [(String, String)] = [
            ("model", model.id),
            ("contract", contract.fingerprint),
            ("pictures", "\(evaluated)" + (skipped.isEmpty ? "" : ", \(skipped.count) skipped")),
            ("tokens", "\(contract.tokensPerImage) per image, \(contract.codebookSize) codes"),
            ("bits per pixel", Self.decimals(bitsPerPixel, 4)),
            ("codes used", "\(codes.codesUsed) of \(codes.codes) (\(Self.decimals(100 * codes.usage, 1)) %)"),
            (
                "entropy",
                "\(Self.decimals(figures.entropy, 3)) bits, perplexity \(Self.decimals(figures.perplexity, 1))"
            ),
            (
                "  per position",
                "\(Self.decimals(figures.positionEntropy, 3)) bits, "
                    + "perplexity \(Self.decimals(figures.positionPerplexity, 1))"
                    + " (\(evaluated) pictures show at most \(Self.decimals(log2(Double(evaluated)), 3)) bits)"
            ),
            ("encode", "\(Self.decimals(perSecond(encodeTime), 2)) images/s"),
            ("decode", "\(Self.decimals(perSecond(decodeTime), 2)) images/s"),
        ]
        let lines = rows.map { Self.padded($0, 16) + $1 } + [""] + measures()
        return lines.joined(separator: "\n") + "\n"
    }

    private func measures() -> [String] {
        let head = Self.padded("", 10) + ["mean", "deviation", "lowest", "highest"].map { Self.aligned($0) }.joined()
        let rows = [("PSNR, dB", psnr, 2), ("SSIM", ssim, 4), ("MS-SSIM", multiScale, 4)]
        let lines = rows.map { name, summary, digits in
            let cells = [summary.mean, summary.standardDeviation, summary.lowest?.value, summary.highest?.value]
            let note = summary.infinite > 0 ? "   (\(summary.infinite) infinite left out)" : ""
            return Self.padded(name, 10) + cells.map { Self.aligned(Self.decimals($0, digits)) }.joined() + note
        }
        let lowest = psnr.lowest.map { ["", "lowest PSNR     \($0.name)"] } ?? []
        let highest = psnr.highest.map { ["highest PSNR    \($0.name)"] } ?? []
        return [head] + lines + lowest + highest
    }

    private static func decimals(_ number: Double?, _ digits: Int) -> String {
        number.map { String(format: "%.\(digits)f", $0) } ?? "-"
    }

    private static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }

    private static func aligned(_ text: String) -> String {
        String(repeating: " ", count: max(1, 11 - text.count)) + text
    }
}
