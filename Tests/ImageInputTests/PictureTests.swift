import ImageInput
import Recipe
import Testing
import TokenizerCore

/// Every odd image against Pillow.
@Suite struct PictureTests {
    static let options: [(String, PictureOptions)] = [
        ("default", PictureOptions()),
        ("exif=ignore", PictureOptions(orientation: .ignore)),
        ("alpha=drop", PictureOptions(alpha: .drop)),
        ("alpha=black", PictureOptions(alpha: .black)),
    ]

    @Test func theTableIsThere() {
        #expect(Fixtures.expectations.count > 120)
        #expect(Fixtures.metadata.count > 180)
        #expect(Fixtures.forgiven.count > 100)
        #expect(
            Fixtures.expectations.contains { $0.error != nil } && Fixtures.expectations.contains { $0.error == nil })
    }

    @Test(arguments: Fixtures.expectations + Fixtures.metadata + Fixtures.forgiven)
    func equalsPillow(_ expected: Fixtures.Expectation) throws {
        let bytes = try Fixtures.picture(expected.file)
        guard let results = expected.results else {
            #expect(failure(bytes)?.kind == expected.error)
            return
        }
        #expect(results.count == Self.options.count)
        for (name, options) in Self.options {
            let (image, source) = try decode(bytes, options: options)
            #expect(described(image) == results[name], "\(name)")
            #expect(source.width == expected.width && source.height == expected.height)
            #expect(source.format.rawValue == expected.format)
            #expect(try probe(bytes) == source)
        }
    }

    /// A file that is cut anywhere is an error or, once all pixels are there, the whole image; never another one.
    @Test(arguments: [
        "jpeg-420.jpg", "jpeg-progressive.jpg", "jpeg-restarts.jpg", "jpeg-cmyk-adobe.jpg", "palette4-laced.png",
        "rgba16.png", "grey16-key.png", "forgiven/restart-baseline-4-ff00.jpg",
        "forgiven/restart-progressive-9-zeros.jpg", "forgiven/scans-stray.jpg",
    ])
    func noPrefixIsAnotherPicture(_ file: String) throws {
        let bytes = try Fixtures.picture(file)
        let whole = try decode(bytes).image
        var errors = 0
        for count in 0..<bytes.count {
            do {
                let image = try decode(Array(bytes[..<count])).image
                if image != whole { Issue.record("\(count) bytes of \(file) give another picture") }
            } catch {
                errors += 1
            }
        }
        #expect(errors > bytes.count / 2)
        #expect(errors < bytes.count)
    }

    /// Damaged files end in an error or an image of the size that their header says.
    @Test(arguments: [
        "jpeg-420.jpg", "jpeg-progressive.jpg", "jpeg-cmyk-adobe.jpg", "jpeg-restarts.jpg", "exif-6.jpg", "exif-5.png",
        "palette4-laced.png", "rgba16-laced.png", "rgb8-key.png", "xmp-3.png",
        "forgiven/restart-each-block-9-zeros.jpg", "forgiven/early-420-5.jpg",
        "metadata/raw-ztxt-prefix-big-before.png", "metadata/xmp-itxt-deflated-element-after.png",
    ])
    func damageIsContained(_ file: String) throws {
        let bytes = try Fixtures.picture(file)
        let limits = ImageLimits(pixels: 100_000, seconds: 0.5)
        for round in 0..<400 {
            var damaged = bytes
            for change in 0..<(1 + round % 4) {
                let random = splitmix64(UInt64(round * 8 + change))
                damaged[Int(random % UInt64(bytes.count))] = UInt8(truncatingIfNeeded: random >> 40)
            }
            guard let (image, source) = try? decode(damaged, limits: limits) else { continue }
            let sides = [image.width, image.height]
            #expect(sides == [source.width, source.height] || sides == [source.height, source.width])
            #expect(image.pixels.count == source.width * source.height * 3)
        }
    }

    @Test(arguments: [
        ("other.webp", "webp is not read; send PNG or JPEG"),
        ("other.gif", "gif is not read; send PNG or JPEG"),
        ("other-avif.bin", "avif is not read; send PNG or JPEG"),
        ("other-mif1.bin", "heic is not read; send PNG or JPEG"),
        ("empty.bin", "an empty picture (0 bytes) is not read; send PNG or JPEG"),
        ("text.bin", "an unknown format is not read; send PNG or JPEG"),
        ("crc-ihdr.png", "the png picture can't be decoded: IHDR: CRC error"),
        (
            "forgiven/restart-lost-first.jpg",
            "the jpeg picture can't be decoded: Corrupt JPEG data: found marker 0xd1 instead of RST0"
        ),
        (
            "forgiven/restart-lost-much-stray.jpg",
            "the jpeg picture can't be decoded: Corrupt JPEG data: 200 extraneous bytes before marker 0xd1"
        ),
        (
            "forgiven/without-scan-1.jpg",
            "the jpeg picture can't be decoded: Inconsistent progression sequence for component 0 coefficient 1"
        ),
        (
            "forgiven/early-4.jpg",
            "the jpeg picture can't be decoded: premature end of JPEG file: coefficients have no scan"
        ),
        ("jpeg-bad-code.jpg", "the jpeg picture can't be decoded: Corrupt JPEG data: bad Huffman code"),
        (
            "huge.png",
            "the picture's header says 60000x60000 pixels; at most 25000000 pixels in all are decoded"
        ),
    ])
    func errorsSayWhatIsWrong(_ file: String, _ words: String) throws {
        #expect(failure(try Fixtures.picture(file))?.description == words)
    }

    @Test func paddingBeforeRestartMarkersChangesNothing() throws {
        let (plain, padded) = (try picture("restart-plain.jpg"), try picture("restart-padded-ff00.jpg"))
        #expect(plain == padded)
        func picture(_ name: String) throws -> RGBImage { try decode(Fixtures.picture("forgiven/" + name)).image }
    }

    @Test func probeReadsTheHeaderOnly() throws {
        let bytes = try Fixtures.picture("jpeg-60000.jpg")
        let source = try probe(bytes)
        #expect(source.width == 60000 && source.height == 60000 && source.format == .jpeg)
        #expect(throws: ImageError.unsupported(found: "bmp")) { try probe(Fixtures.picture("other.bmp")) }
        let start = Array(try Fixtures.picture("rgb8.png").prefix(33))
        #expect(try probe(start).width == 27)
    }
}
