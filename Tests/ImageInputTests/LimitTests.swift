import CCodecs
import Foundation
import ImageInput
import Recipe
import Testing
import TokenizerCore

@Suite struct LimitTests {
    @Test func fileBytes() throws {
        let bytes = try Fixtures.picture("rgb8.png")
        #expect(failure(bytes, limits: ImageLimits(fileBytes: bytes.count)) == nil)
        let limit = bytes.count - 1
        #expect(
            failure(bytes, limits: ImageLimits(fileBytes: limit)) == .fileBytes(found: bytes.count, limit: limit))
    }

    @Test(arguments: ["rgb8.png", "jpeg-420.jpg"])
    func pixels(_ file: String) throws {
        let bytes = try Fixtures.picture(file)
        let source = try probe(bytes)
        let count = source.width * source.height
        #expect(failure(bytes, limits: ImageLimits(pixels: count)) == nil)
        #expect(
            failure(bytes, limits: ImageLimits(pixels: count - 1))
                == .pixels(width: source.width, height: source.height, limit: count - 1))
    }

    @Test func scans() throws {
        let bytes = try Fixtures.picture("jpeg-progressive.jpg")
        #expect(failure(bytes, limits: ImageLimits(scans: 10)) == nil)
        #expect(failure(bytes, limits: ImageLimits(scans: 9))?.kind == "scans")
        let pixels = 61 * 43
        #expect(failure(bytes, limits: ImageLimits(scanPixels: pixels * 10)) == nil)
        #expect(failure(bytes, limits: ImageLimits(scanPixels: pixels * 10 - 1))?.kind == "scans")
    }

    @Test func oneScanNeedsNoScanPixels() throws {
        let bytes = try Fixtures.picture("jpeg-420.jpg")
        #expect(failure(bytes, limits: ImageLimits(scanPixels: 1)) == nil)
    }

    @Test(arguments: ["rgb8.png", "rgba16-laced.png", "jpeg-420.jpg", "jpeg-progressive.jpg", "20000x1.png"])
    func deadline(_ file: String) throws {
        let bytes = try Fixtures.picture(file)
        #expect(failure(bytes, limits: ImageLimits(seconds: 0)) == .deadline(seconds: 0))
        #expect(failure(bytes, limits: ImageLimits(seconds: -1)) == .deadline(seconds: -1))
        #expect(failure(bytes, limits: ImageLimits(seconds: .infinity)) == nil)
    }

    /// Others that have the processor take nothing of an image's time.
    @Test func timeIsTheThreadsOwn() {
        let start = cc_thread_time()
        Thread.sleep(forTimeInterval: 0.2)
        #expect(cc_thread_time() - start < 100_000_000)
        var sum = 0.0
        let begin = ContinuousClock.now
        while cc_thread_time() - start < 10_000_000, .now - begin < .seconds(10) { sum += 1 }
        #expect(cc_thread_time() - start >= 10_000_000 && sum > 0)
    }

    @Test func decodingBytesCoverTheResult() throws {
        for expected in Fixtures.expectations where expected.error == nil {
            let source = try probe(Fixtures.picture(expected.file))
            #expect(source.decodingBytes >= source.width * source.height * 6)
        }
        let absurd = try probe(Fixtures.picture("absurd.png"))
        #expect(absurd.decodingBytes == .max)
    }

    /// Metadata in very many pieces costs time in proportion to its bytes.
    @Test func manySegments() throws {
        let bytes = try Fixtures.picture("jpeg-420.jpg")
        let large: [UInt8] = [0xFF, 0xE1, 0xFF, 0xFF] + Array("Exif\0\0".utf8) + [UInt8](repeating: 0, count: 65527)
        let small: [UInt8] = [0xFF, 0xE1, 0, 8] + Array("Exif\0\0".utf8)
        let pieces = repeatElement(small, count: 200_000).flatMap { $0 }
        let picture = Array(bytes[..<2] + large + pieces + bytes[2...])
        let plain = try decode(bytes).image
        let start = ContinuousClock.now
        let image = try decode(picture).image
        #expect(ContinuousClock.now - start < .seconds(20))
        #expect(image == plain)
    }
}
