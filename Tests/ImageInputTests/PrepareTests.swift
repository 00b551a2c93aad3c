import ImageInput
import Recipe
import Testing
import TokenizerCore

@Suite struct PrepareTests {
    @Test func theTableIsThere() {
        #expect(Fixtures.resamples.count == 221)
    }

    @Test(arguments: Fixtures.resamples)
    func equalsPillow(_ row: Fixtures.Resample) {
        let picture = image("pre\(row.height)x\(row.width)", height: row.height, width: row.width)
        #expect(checksum(picture.pixels) == row.image)
        #expect(checksum(prepare(picture, for: Preprocessing(filter: .bicubic)).pixels) == row.bicubic)
        #expect(checksum(prepare(picture, for: Preprocessing(filter: .bilinear)).pixels) == row.bilinear)
    }

    static let twins: [(height: Int, width: Int, size: Int)] = [
        (37, 53, 16), (53, 37, 16), (200, 90, 8), (16, 90, 16), (90, 16, 16), (5, 7, 24), (1, 1, 9), (300, 2, 3),
        (100, 130, 1), (20000, 1, 64), (1, 20000, 64),
    ]

    @Test(arguments: twins)
    func equalsTheNaiveTwin(height: Int, width: Int, size: Int) {
        let picture = image("twin", height: height, width: width)
        for filter in [Preprocessing.Filter.bicubic, .bilinear] {
            let preprocessing = Preprocessing(filter: filter, size: size)
            #expect(prepare(picture, for: preprocessing) == naivePrepare(picture, for: preprocessing))
        }
    }

    /// The whole of the resized image would take 3.9 GB.
    @Test(arguments: [(20000, 1), (1, 20000)])
    func onlyTheCropIsComputed(width: Int, height: Int) {
        let picture = image("long", height: height, width: width)
        let elapsed = ContinuousClock().measure {
            let crop = prepare(picture, for: Preprocessing(filter: .bicubic))
            #expect(crop.width == 256 && crop.height == 256)
        }
        #expect(elapsed < .seconds(20))
    }

    @Test func targetSizeIsUntouched() {
        let picture = image("same", height: 256, width: 256)
        #expect(prepare(picture, for: Preprocessing(filter: .bicubic)) == picture)
    }

    @Test(arguments: [UInt8(0), 255, 128])
    func flatStaysFlat(_ value: UInt8) {
        let picture = RGBImage(width: 700, height: 333, pixels: [UInt8](repeating: value, count: 700 * 333 * 3))
        for filter in [Preprocessing.Filter.bicubic, .bilinear] {
            #expect(prepare(picture, for: Preprocessing(filter: filter)).pixels.allSatisfy { $0 == value })
        }
    }
}

/// One output sample after the other, straight from the definition of Pillow's two passes.
private func naivePrepare(_ image: RGBImage, for preprocessing: Preprocessing) -> RGBImage {
    let size = preprocessing.size
    let short = min(image.width, image.height)
    func taps(_ source: Int) -> [Taps] {
        let resized = source == short ? size : size * source / short
        let start = Int((Double(resized - size) / 2).rounded(.toNearestOrEven))
        return (start..<(start + size)).map { Taps(at: $0, source: source, resized: resized, preprocessing.filter) }
    }
    let (columns, rows) = (taps(image.width), taps(image.height))
    var cache: [Int: [UInt8]] = [:]
    var pixels: [UInt8] = []
    for row in rows {
        for y in row.range where cache[y] == nil {
            cache[y] = columns.flatMap { column in
                (0..<3).map { c in column.sum { Int(image.pixels[(y * image.width + $0) * 3 + c]) } }
            }
        }
        for i in 0..<(size * 3) {
            pixels.append(row.sum { Int(cache[$0]?[i] ?? 0) })
        }
    }
    return RGBImage(width: size, height: size, pixels: pixels)
}

/// The source samples of one output sample along one axis, with weights in 22-bit fixed point.
private struct Taps {
    let range: Range<Int>
    let weights: [Int]

    init(at index: Int, source: Int, resized: Int, _ filter: Preprocessing.Filter) {
        if source == resized {
            range = index..<(index + 1)
            weights = [1 << 22]
            return
        }
        let scale = Double(source) / Double(resized)
        let stretch = max(scale, 1)
        let support = (filter == .bicubic ? 2 : 1) * stretch
        let centre = (Double(index) + 0.5) * scale
        range = max(0, Int(centre - support + 0.5))..<min(source, Int(centre + support + 0.5))
        let raw = range.map { Self.weight((Double($0) - centre + 0.5) * (1 / stretch), filter) }
        let total = raw.reduce(0, +)
        weights = raw.map { Int(($0 / total * 0x1p22).rounded(.toNearestOrAwayFromZero)) }
    }

    func sum(_ sample: (Int) -> Int) -> UInt8 {
        let total = zip(range, weights).reduce(1 << 21) { $0 + sample($1.0) * $1.1 }
        return UInt8(min(max(total >> 22, 0), 255))
    }

    static func weight(_ x: Double, _ filter: Preprocessing.Filter) -> Double {
        let x = abs(x)
        switch (filter, x) {
        case (.bilinear, ..<1): return 1 - x
        case (.bicubic, ..<1): return (1.5 * x - 2.5) * x * x + 1
        case (.bicubic, ..<2): return (((x - 5) * x + 8) * x - 4) * -0.5
        default: return 0
        }
    }
}
