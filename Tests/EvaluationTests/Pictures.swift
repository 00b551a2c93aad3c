import Foundation
import Testing
import TokenizerCore

/// A pair of images of Fixtures/make_quality.py and what was measured there.
struct QualityCase: Decodable, Sendable, CustomTestStringConvertible {
    var width: Int
    var height: Int
    var first: String
    var change: String
    /// `nil`: infinite.
    var psnr: Double?
    var ssim: Double
    var interior: Double?
    var multiScale: Double?

    var testDescription: String { "\(first) \(change), \(width)x\(height)" }

    static let all: [QualityCase] = {
        let fixtures = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures")
        guard let data = try? Data(contentsOf: fixtures.appendingPathComponent("quality.json")),
            let all = try? JSONDecoder().decode([QualityCase].self, from: data)
        else { return [] }
        return all
    }()

    /// The image and what `change` makes of it.
    func pictures() throws -> (RGBImage, RGBImage) {
        let original = try Samples(first, width, height)
        return (original.image, try original.changed(change).image)
    }
}

/// Samples of an image by the formulas of Fixtures/make_quality.py; shape (height, width, 3).
struct Samples {
    /// A name that the formulas don't have.
    struct Unknown: Error {
        var name: String
    }

    let width: Int
    let height: Int
    var values: [Int]

    var image: RGBImage { RGBImage(width: width, height: height, pixels: values.map { UInt8($0) }) }

    private init(_ width: Int, _ height: Int, _ value: (_ x: Int, _ y: Int, _ c: Int) -> Int) {
        self.width = width
        self.height = height
        values = []
        values.reserveCapacity(width * height * 3)
        for y in 0..<height { for x in 0..<width { for c in 0..<3 { values.append(value(x, y, c)) } } }
    }

    init(_ kind: String, _ width: Int, _ height: Int) throws {
        switch kind {
        case "waves": self.init(width, height, Self.wave)
        case "noise": self.init(width, height) { Self.noise($0, $1, $2, 1) }
        case "constant": self.init(width, height) { _, _, _ in 100 }
        default: throw Unknown(name: kind)
        }
    }

    func changed(_ change: String) throws -> Samples {
        switch change {
        case "same": self
        case "noisy": map { min(255, max(0, $0 + Self.noise($1, $2, $3, 2) % 49 - 24)) }
        case "blurred": map { _, x, y, c in self.box(x, y, c) / 9 }
        case "coarse": map { value, _, _, _ in value / 32 * 32 }
        case "lighter": map { value, _, _, _ in value + (255 - value) / 4 }
        case "negative": map { value, _, _, _ in 255 - value }
        case "unrelated": map { Self.noise($1, $2, $3, 3) }
        default: throw Unknown(name: change)
        }
    }

    private func map(_ value: (_ value: Int, _ x: Int, _ y: Int, _ c: Int) -> Int) -> Samples {
        Samples(width, height) { value(values[($1 * width + $0) * 3 + $2], $0, $1, $2) }
    }

    /// Sum of the 3 x 3 samples around one; those at the border go on outside.
    private func box(_ x: Int, _ y: Int, _ c: Int) -> Int {
        var sum = 0
        for row in y - 1...y + 1 {
            for column in x - 1...x + 1 {
                let (row, column) = (min(max(row, 0), height - 1), min(max(column, 0), width - 1))
                sum += values[(row * width + column) * 3 + c]
            }
        }
        return sum
    }

    private static func noise(_ x: Int, _ y: Int, _ c: Int, _ seed: Int) -> Int {
        var v = (x * 73_856_093 ^ y * 19_349_663 ^ c * 83_492_791 ^ seed * 40503) & 0xFFFF_FFFF
        v ^= v >> 13
        v = v * 1_274_126_177 & 0xFFFF_FFFF
        return (v ^ v >> 16) & 255
    }

    private static func wave(_ x: Int, _ y: Int, _ c: Int) -> Int {
        func triangle(_ v: Int, _ period: Int) -> Int { abs(v % (2 * period) - period) * 255 / period }
        return (triangle(x, 23 + 8 * c) + triangle(y, 37 - 5 * c) + triangle(x + 2 * y, 90)) / 3
    }
}
