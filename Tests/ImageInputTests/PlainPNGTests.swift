import CCodecs
import ImageInput
import Recipe
import Testing
import TokenizerCore

/// What libdeflate reads is what libpng reads, and it leaves libpng all that has a fault.
@Suite struct PlainPNGTests {
    static let fixtures = Fixtures.expectations.map(\.file).filter { $0.hasSuffix(".png") }
    /// Among them, those of the usual kinds and without fault.
    static let plain: Set<String> = [
        "1x1.png", "1x20000.png", "20000x1.png", "exif-5.png", "exif-8-after.png", "gamma.png", "grey8.png", "la8.png",
        "no-iend.png", "rgb8.png", "rgba8.png", "trailing.png", "xmp-3.png",
    ]

    @Test(arguments: fixtures)
    func fixture(_ file: String) throws {
        let bytes = try Fixtures.picture(file)
        #expect(agreed(bytes) == Self.plain.contains(file))
    }

    @Test(arguments: [0, 2, 4, 6], [[0], [1], [2], [3], [4], [4, 3, 2, 1, 0]] as [[UInt8]])
    func usualKinds(colourType: Int, filters: [UInt8]) {
        for (width, height) in [(1, 1), (1, 50), (50, 1), (2, 3), (61, 43), (700, 300)] {
            for (pieces, level) in [(1, 6), (2, 0), (7, 1)] as [(Int, Int32)] {
                let file = PNGFile(
                    width: width, height: height, colourType: colourType, filters: filters, level: level,
                    pieces: pieces)
                #expect(agreed(file.bytes), "\(width)x\(height) in \(pieces)")
            }
        }
    }

    @Test(arguments: [0, 2, 3, 4, 6], [1, 2, 4, 8, 16])
    func allKinds(colourType: Int, depth: Int) {
        for isInterlaced in [false, true] {
            for keyed in [false, true] {
                for (width, height) in [(1, 1), (1, 9), (9, 1), (27, 19)] {
                    var file = PNGFile(
                        width: width, height: height, depth: depth, colourType: colourType,
                        isInterlaced: isInterlaced, pieces: 2)
                    if colourType == 3 { file.extras.append(palette(1 << min(depth, 8))) }
                    if keyed { file.extras.append(key(colourType)) }
                    let isPlain = depth == 8 && colourType != 3 && !isInterlaced && !keyed
                    #expect(agreed(file.bytes) == isPlain, "\(width)x\(height), \(isInterlaced), \(keyed)")
                }
            }
        }
    }

    @Test(arguments: [0, 2, 4, 6])
    func everyByteDamaged(colourType: Int) {
        let bytes = PNGFile(width: 5, height: 6, colourType: colourType, pieces: 2).bytes
        var plain = 0
        for index in bytes.indices {
            for mask in [1, 2, 4, 8, 16, 32, 64, 128, 255] as [UInt8] {
                var damaged = bytes
                damaged[index] ^= mask
                if agreed(damaged, alphas: [CC_ALPHA_WHITE]) { plain += 1 }
                // So that the damage gets past the sums of chunks.
                agreed(PNGFile.summed(damaged), alphas: [CC_ALPHA_WHITE])
            }
        }
        // Only the end is of no concern.
        #expect(plain == 12 * 9)
    }

    @Test(arguments: [0, 2, 4, 6])
    func everyLength(colourType: Int) {
        let bytes = PNGFile(width: 5, height: 6, colourType: colourType, pieces: 2).bytes
        for count in 0..<bytes.count {
            #expect(agreed(Array(bytes[..<count])) == (count >= bytes.count - 12), "\(count)")
        }
    }

    @Test(arguments: Irregularity.all)
    func irregular(_ irregularity: Irregularity) {
        let bytes = irregularity.make(PNGFile(width: 31, height: 17, colourType: 6))
        #expect(agreed(bytes) == irregularity.isPlain)
    }

    @Test func pastTheDeadline() throws {
        let bytes = PNGFile(width: 31, height: 17).bytes
        #expect(failure(bytes, limits: ImageLimits(seconds: 0)) == .deadline(seconds: 0))
        #expect(Outcome.plain(bytes, CC_ALPHA_WHITE, deadline: 0) == nil)
    }

    @Test(arguments: [0, 2, 4, 6])
    func memoryIsEstimated(colourType: Int) throws {
        for (width, height) in [(1, 1), (1, 1000), (1000, 1), (300, 200)] {
            let file = PNGFile(width: width, height: height, colourType: colourType, level: 0, pieces: 2)
            let bytes = file.bytes
            let rows = (width * file.bitsPerPixel / 8 + 1) * (height + 1)
            let stream = file.data.reduce(0) { $0 + $1.body.count }
            #expect(try probe(bytes).decodingBytes >= width * height * 3 + rows + stream)
        }
    }
}

/// Compares `cc_png_decode` with libpng alone, in status, words and pixels.
///
/// - Returns: whether libdeflate took the file.
@discardableResult
private func agreed(
    _ bytes: [UInt8], alphas: [cc_alpha] = [CC_ALPHA_WHITE, CC_ALPHA_BLACK, CC_ALPHA_DROP],
    _ location: SourceLocation = #_sourceLocation
) -> Bool {
    var taken = true
    for alpha in alphas {
        let expected = Outcome(bytes, alpha, cc_png_decode_libpng)
        #expect(Outcome(bytes, alpha, cc_png_decode) == expected, sourceLocation: location)
        guard let plain = Outcome.plain(bytes, alpha) else {
            taken = false
            continue
        }
        #expect(expected.status == 0 && plain == expected.pixels, sourceLocation: location)
    }
    return taken
}

private struct Outcome: Equatable {
    typealias Decoder = (
        UnsafePointer<UInt8>?, Int, Int64, Int64, UnsafePointer<cc_limits>?, Int32, UnsafeMutablePointer<UInt8>?,
        UnsafeMutablePointer<cc_report>?
    ) -> Int32

    var status: Int32
    var words: String
    var pixels: [UInt8]

    init(_ bytes: [UInt8], _ alpha: cc_alpha, _ decode: Decoder) {
        let (width, height) = Self.size(bytes)
        var limits = cc_limits(deadline: .max, max_scans: 0, max_scan_pixels: 0)
        var report = cc_report()
        var out = [UInt8](repeating: 0, count: width * height * 3)
        status = decode(
            bytes, bytes.count, Int64(width), Int64(height), &limits, Int32(alpha.rawValue), &out, &report)
        words = withUnsafeBytes(of: report.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        pixels = status == 0 ? out : []
    }

    /// By libdeflate alone, `nil` if it leaves the file to libpng.
    static func plain(_ bytes: [UInt8], _ alpha: cc_alpha, deadline: Int64 = .max) -> [UInt8]? {
        let (width, height) = size(bytes)
        var limits = cc_limits(deadline: deadline, max_scans: 0, max_scan_pixels: 0)
        var out = [UInt8](repeating: 0, count: width * height * 3)
        let taken = cc_png_decode_plain(
            bytes, bytes.count, Int64(width), Int64(height), &limits, Int32(alpha.rawValue), &out)
        return taken == 1 ? out : nil
    }

    /// As the header has it; where that is damaged, any size.
    private static func size(_ bytes: [UInt8]) -> (Int, Int) {
        guard let source = try? probe(bytes), source.width <= 1 << 20 / source.height else { return (5, 6) }
        return (source.width, source.height)
    }
}

private func palette(_ count: Int) -> PNGFile.Chunk {
    PNGFile.Chunk(kind: "PLTE", body: (0..<(count * 3)).map { UInt8(truncatingIfNeeded: splitmix64(UInt64($0))) })
}

private func key(_ colourType: Int) -> PNGFile.Chunk {
    PNGFile.Chunk(kind: "tRNS", body: colourType == 3 ? [0, 128] : colourType == 2 ? [0, 0, 0, 0, 0, 0] : [0, 0])
}

/// One thing that is odd about a file.
struct Irregularity: Sendable, CustomTestStringConvertible {
    var testDescription: String
    /// Whether it is odd only, not wrong.
    var isPlain = false
    var make: @Sendable (PNGFile) -> [UInt8]

    /// With other IDATs.
    static func data(
        _ name: String, isPlain: Bool = false, _ change: @escaping @Sendable (PNGFile) -> [PNGFile.Chunk]
    ) -> Irregularity {
        Irregularity(testDescription: name, isPlain: isPlain) { file in
            PNGFile.file([file.header] + change(file) + [PNGFile.Chunk(kind: "IEND", body: [])])
        }
    }

    /// With another zlib stream in one IDAT.
    static func stream(
        _ name: String, isPlain: Bool = false, _ change: @escaping @Sendable ([UInt8]) -> [UInt8]
    ) -> Irregularity {
        data(name, isPlain: isPlain) { [PNGFile.Chunk(kind: "IDAT", body: change($0.data[0].body))] }
    }

    /// With other filtered rows.
    static func lines(_ name: String, _ change: @escaping @Sendable ([UInt8]) -> [UInt8]) -> Irregularity {
        data(name) { PNGFile.split(PNGFile.compressed(change($0.lines)), 1) }
    }

    /// With a chunk before the first IDAT.
    static func chunk(_ kind: String, _ body: [UInt8], isPlain: Bool = false) -> Irregularity {
        Irregularity(testDescription: "\(kind) of \(body.count) bytes", isPlain: isPlain) { file in
            var file = file
            file.extras.append(PNGFile.Chunk(kind: kind, body: body))
            return file.bytes
        }
    }

    /// With another byte, whose chunk's sum is right.
    static func byte(_ name: String, at index: Int, _ value: UInt8) -> Irregularity {
        Irregularity(testDescription: name) { file in
            var bytes = file.bytes
            bytes[index] = value
            return PNGFile.summed(bytes)
        }
    }

    private static let empty = PNGFile.Chunk(kind: "IDAT", body: [])
    private static let text = PNGFile.Chunk(kind: "tEXt", body: Array("a\0b".utf8))

    static let all: [Irregularity] = [
        .lines("filter 5 in the first row") { [5] + Array($0.dropFirst()) },
        .lines("filter 255 in the second row") { Array($0[..<125]) + [255] + Array($0[126...]) },
        .lines("a row too few") { Array($0.dropLast(125)) },
        .lines("a byte too few") { Array($0.dropLast()) },
        .lines("a byte too many") { $0 + [0] },
        .lines("a row too many") { $0 + Array($0[..<125]) },
        .lines("no rows") { _ in [] },
        .stream("bytes after the stream") { $0 + [1, 2, 3] },
        .stream("another sum of the stream") { Array($0.dropLast()) + [$0[$0.count - 1] ^ 1] },
        .stream("no sum of the stream") { Array($0.dropLast(4)) },
        .stream("an empty stream") { _ in [] },
        .stream("one byte") { Array($0.prefix(1)) },
        .stream("a window that is too narrow") { [0x08, 0x1D] + Array($0.dropFirst(2)) },
        .stream("a window that is as wide as the rows", isPlain: true) { [0x48, 0x0D] + Array($0.dropFirst(2)) },
        .stream("a window that is too wide") { [0x88, 0x1C] + Array($0.dropFirst(2)) },
        .stream("a dictionary") { [0x78, 0xBB] + Array($0.dropFirst(2)) },
        .stream("another method") { [0x79, 0x18] + Array($0.dropFirst(2)) },
        .stream("thousands of empty blocks") { stream in
            let blocks = repeatElement([0, 0, 0, 0xFF, 0xFF] as [UInt8], count: 5000).joined()
            return Array(stream[..<2]) + Array(blocks) + Array(stream[2...])
        },
        .data("an empty IDAT first", isPlain: true) { [empty] + $0.data },
        .data("an empty IDAT last", isPlain: true) { $0.data + [empty] },
        .data("empty IDATs between", isPlain: true) { file in
            PNGFile.split(file.data[0].body, 3).flatMap { [$0, empty, empty] }
        },
        .data("one byte in each IDAT", isPlain: true) { file in
            PNGFile.split(file.data[0].body, file.data[0].body.count)
        },
        .data("the stream twice") { $0.data + $0.data },
        .data("the stream again after another chunk", isPlain: true) { $0.data + [text] + $0.data },
        .data("another chunk between IDATs") { file in
            PNGFile.split(file.data[0].body, 2).flatMap { [$0, text] }
        },
        .data("no IDAT") { _ in [] },
        .data("IHDR after IDAT", isPlain: true) { $0.data + [$0.header] },
        .data("IHDR twice") { [$0.header] + $0.data },
        .chunk("tEXt", Array("a\0b".utf8), isPlain: true),
        .chunk("gAMA", [0, 0, 1, 1], isPlain: true),
        .chunk("iCCP", Array("a\0\0b".utf8), isPlain: true),
        .chunk("sBIT", [9, 9], isPlain: true),
        .chunk("prVt", [], isPlain: true),
        .chunk("zzzz", [1]),
        .chunk("ABCD", [1]),
        .chunk("tE~t", [1]),
        .chunk("tRNS", [0, 1]),
        .chunk("PLTE", [1, 2, 3]),
        .chunk("PLTE", [1, 2]),
        .chunk("IEND", []),
        .chunk("tEXt", [UInt8](repeating: 65, count: 8_000_001)),
        .byte("bit depth 7", at: 24, 7),
        .byte("colour type 5", at: 25, 5),
        .byte("colour type 7", at: 25, 7),
        .byte("compression 1", at: 26, 1),
        .byte("filter method 64", at: 27, 64),
        .byte("interlacing 2", at: 28, 2),
        .byte("a pixel less in width", at: 19, 30),
        .byte("a row more", at: 23, 18),
        Irregularity(testDescription: "a wrong sum of what is skipped") { file in
            var file = file
            file.extras.append(text)
            var bytes = file.bytes
            bytes[33 + 8] ^= 1
            return bytes
        },
        Irregularity(testDescription: "a wrong sum of IEND", isPlain: true) { Array($0.bytes.dropLast()) + [0] },
        Irregularity(testDescription: "bytes after the file", isPlain: true) { $0.bytes + [1, 2, 3] },
        Irregularity(testDescription: "IDAT before IHDR") { PNGFile.file($0.data + [$0.header]) },
        Irregularity(testDescription: "a second signature") { Array($0.bytes[..<8]) + $0.bytes },
    ]
}
