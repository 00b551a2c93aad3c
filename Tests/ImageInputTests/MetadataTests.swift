import CZlib
import ImageInput
import Recipe
import Testing

/// Texts of a PNG that are too large, or broken in ways that no file made by a library is. Pillow refuses such files;
/// here the pixels count.
@Suite struct MetadataTests {
    private static let profile = Array("Raw profile type exif".utf8)
    private static let packet = Array("XML:com.adobe.xmp".utf8)

    /// An image of 3x2 with `chunks` before its pixels and again behind them.
    private static func turned(_ chunks: [PNGFile.Chunk], _ options: PictureOptions = PictureOptions()) throws -> Bool {
        let file = PNGFile(width: 3, height: 2)
        let pixels = try decode(file.bytes).image
        var results: [Bool] = []
        for parts in [[file.header] + chunks + file.data, [file.header] + file.data + chunks] {
            let (image, source) = try decode(PNGFile.file(parts + [end]), options: options)
            #expect(source.width == 3 && source.height == 2)
            results.append(image != pixels)
        }
        #expect(results[0] == results[1])
        return results[0]
    }

    private static let end = PNGFile.Chunk(kind: "IEND", body: [])

    private static func compressed(_ keyword: [UInt8], _ text: [UInt8]) -> PNGFile.Chunk {
        PNGFile.Chunk(kind: "zTXt", body: keyword + [0, 0] + PNGFile.compressed(text, level: 9))
    }

    private static func international(_ keyword: [UInt8], _ text: [UInt8], method: UInt8 = 0) -> PNGFile.Chunk {
        PNGFile.Chunk(kind: "iTXt", body: keyword + [0, 1, method, 0, 0] + PNGFile.compressed(text, level: 9))
    }

    private static let turn = Array("tiff:Orientation=\"6\"".utf8)

    @Test func bombsAreNotInflated() throws {
        let bomb = Self.turn + [UInt8](repeating: 32, count: 64 << 20)
        for chunk in [Self.compressed(Self.packet, bomb), Self.international(Self.packet, bomb)] {
            #expect(chunk.body.count < 100_000)
            #expect(try !Self.turned([chunk]))
        }
        #expect(try Self.turned([Self.compressed(Self.packet, Array(bomb[..<(1 << 20)]))]))
        #expect(try !Self.turned([Self.compressed(Self.packet, Array(bomb[...(1 << 20)]))]))
    }

    /// An iTXt that can't be read leaves what the one before it said, if not too many in vain are inflated.
    @Test(arguments: [(1, true), (60, true), (70, false)])
    func textsInVain(count: Int, isFound: Bool) throws {
        let unreadable = Self.turn + [UInt8](repeating: 0xFF, count: (1 << 20) - Self.turn.count)
        let useless = [PNGFile.Chunk](repeating: Self.international(Self.profile, unreadable), count: count)
        let digits = "\nexif\n26\n49492a00080000000100120103000100000006000000\n"
        let useful = Self.compressed(Self.profile, Array(digits.utf8))
        #expect(try Self.turned([useful]))
        #expect(try Self.turned([useful] + useless) == isFound)
    }

    /// None of these is read where the orientation is not asked for.
    @Test func ignoredOrientation() throws {
        let chunk = Self.compressed(Self.packet, Self.turn)
        #expect(try Self.turned([chunk]))
        #expect(try !Self.turned([chunk], PictureOptions(orientation: .ignore)))
    }

    @Test func everyLength() throws {
        let digits = Array("\nexif\n26\n49492a00080000000100120103000100000006000000\n".utf8)
        for keyword in [Self.profile, Self.packet] {
            for chunk in [Self.compressed(keyword, digits), Self.international(keyword, digits)] {
                for count in 0..<chunk.body.count {
                    let cut = PNGFile.Chunk(kind: chunk.kind, body: Array(chunk.body[..<count]))
                    // Only what is cut behind the last digit may turn the image.
                    #expect(try !Self.turned([cut]) || count > chunk.body.count - 16)
                }
            }
        }
    }

    /// Text of any size that the file may have is covered by the estimate.
    @Test func memoryIsEstimated() throws {
        for isInterlaced in [false, true] {
            var file = PNGFile(width: 3, height: 2, isInterlaced: isInterlaced)
            file.extras = [PNGFile.Chunk(kind: "tEXt", body: [UInt8](repeating: 48, count: 100_000))]
            #expect(try probe(file.bytes).decodingBytes >= file.bytes.count + 3 * 2 * 6)
        }
    }
}
