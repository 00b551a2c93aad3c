import Foundation
import ImageInput
import Recipe
import Testing
import TokenizerCore

/// Files beside this one, made by the scripts there.
enum Fixtures {
    static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures")

    static func picture(_ name: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: folder.appendingPathComponent("pictures").appendingPathComponent(name)))
    }

    /// Pillow's results, or the kind of error, by file.
    struct Expectation: Decodable, Sendable, CustomTestStringConvertible {
        var file: String
        var format: String?
        var width: Int?
        var height: Int?
        var results: [String: String]?
        var error: String?

        var testDescription: String { file }
    }

    static let expectations = table("expected.json")
    /// Images that state their orientation in unusual places.
    static let metadata = table("metadata.json")
    /// JPEGs with faults that leave every pixel as it is, and such that don't.
    static let forgiven = table("forgiven.json")

    private static func table(_ file: String) -> [Expectation] {
        guard let data = try? Data(contentsOf: folder.appendingPathComponent(file)),
            let all = try? JSONDecoder().decode([Expectation].self, from: data)
        else { return [] }
        return all
    }

    /// A row of resample.tsv.
    struct Resample: Sendable, CustomTestStringConvertible {
        var height: Int
        var width: Int
        var image: String
        var bicubic: String
        var bilinear: String

        var testDescription: String { "\(height)x\(width)" }
    }

    static let resamples: [Resample] = {
        let text = (try? String(contentsOf: folder.appendingPathComponent("resample.tsv"), encoding: .utf8)) ?? ""
        return text.split(separator: "\n").dropFirst().compactMap { line in
            let cells = line.split(separator: "\t").map(String.init)
            guard cells.count == 5, let height = Int(cells[0]), let width = Int(cells[1]) else { return nil }
            return Resample(height: height, width: width, image: cells[2], bicubic: cells[3], bilinear: cells[4])
        }
    }()
}

/// FNV-1a 64 in 16 hexadecimal digits.
func checksum(_ bytes: [UInt8]) -> String {
    let digits = String(fnv1a64(bytes), radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}

/// "WxH:" and the checksum of the pixels.
func described(_ image: RGBImage) -> String {
    "\(image.width)x\(image.height):\(checksum(image.pixels))"
}

/// The error of decoding, `nil` if it succeeds.
func failure(
    _ bytes: [UInt8], options: PictureOptions = PictureOptions(), limits: ImageLimits = ImageLimits()
) -> ImageError? {
    do {
        _ = try decode(bytes, options: options, limits: limits)
        return nil
    } catch {
        return error
    }
}

extension ImageError {
    /// The kind's name in expected.json.
    var kind: String {
        switch self {
        case .unsupported: "unsupported"
        case .fileBytes: "fileBytes"
        case .pixels: "pixels"
        case .scans: "scans"
        case .undecodable: "undecodable"
        case .deadline: "deadline"
        case .memory: "memory"
        }
    }
}
