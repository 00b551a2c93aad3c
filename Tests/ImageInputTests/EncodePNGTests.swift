import ImageInput
import Recipe
import Testing
import TokenizerCore

@Suite struct EncodePNGTests {
    @Test(arguments: [(1, 1), (256, 256), (3, 500), (500, 3), (61, 43)])
    func roundTrip(width: Int, height: Int) throws {
        let picture = image("png", height: height, width: width)
        let bytes = encodePNG(picture)
        #expect(bytes == encodePNG(picture))
        let (decoded, source) = try decode(bytes)
        #expect(decoded == picture)
        #expect(source.format == .png && source.width == width && source.height == height)
    }

    @Test func noAncillaryChunks() {
        let bytes = encodePNG(image("png", height: 200, width: 200))
        var kinds: [String] = []
        var at = 8
        while at + 12 <= bytes.count {
            let length = bytes[at..<(at + 4)].reduce(0) { $0 << 8 | Int($1) }
            kinds.append(String(decoding: bytes[(at + 4)..<(at + 8)], as: UTF8.self))
            at += 12 + length
        }
        #expect(at == bytes.count)
        #expect(kinds.first == "IHDR" && kinds.last == "IEND")
        #expect(kinds.dropFirst().dropLast().allSatisfy { $0 == "IDAT" })
        #expect(Array(bytes[24..<29]) == [8, 2, 0, 0, 0])
    }
}
