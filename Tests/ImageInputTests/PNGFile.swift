import CZlib
import Recipe

/// A PNG whose filtered rows are noise, made chunk by chunk so that each can be wrong.
struct PNGFile {
    struct Chunk {
        var kind: String
        var body: [UInt8]

        var bytes: [UInt8] { [bigEndian(body.count), summed, bigEndian(PNGFile.crc(summed))].flatMap { $0 } }
        private var summed: [UInt8] { Array(kind.utf8) + body }
    }

    var width: Int
    var height: Int
    var depth = 8
    /// 0 grey, 2 RGB, 3 palette, 4 grey with alpha, 6 RGB with alpha.
    var colourType = 2
    var isInterlaced = false
    /// The rows' filters, from the first again after the last.
    var filters: [UInt8] = [0, 1, 2, 3, 4]
    var level: Int32 = 6
    /// IDAT chunks.
    var pieces = 1
    /// Chunks between IHDR and the first IDAT.
    var extras: [Chunk] = []

    var bitsPerPixel: Int { depth * [1, 0, 3, 1, 2, 0, 4][colourType] }

    var header: Chunk {
        let rest = [depth, colourType, 0, 0, isInterlaced ? 1 : 0].map { UInt8($0) }
        return Chunk(kind: "IHDR", body: bigEndian(width) + bigEndian(height) + rest)
    }

    /// Small numbers, many of them 0, so that there is something to compress.
    var lines: [UInt8] {
        var bytes: [UInt8] = []
        for (row, count) in lineSizes.enumerated() {
            bytes.append(filters[row % filters.count])
            for index in 0..<count {
                let random = splitmix64(UInt64(row &* 1_000_003 &+ index))
                bytes.append(random & 3 == 0 ? UInt8(random >> 8 & 31) : random & 255 == 1 ? 255 : 0)
            }
        }
        return bytes
    }

    var data: [Chunk] { Self.split(Self.compressed(lines, level: level), pieces) }

    var bytes: [UInt8] { Self.file([header] + extras + data + [Chunk(kind: "IEND", body: [])]) }

    /// Bytes of each row, those of Adam7's passes one after the other.
    private var lineSizes: [Int] {
        let passes =
            isInterlaced
            ? [(0, 8, 0, 8), (4, 8, 0, 8), (0, 4, 4, 8), (2, 4, 0, 4), (0, 2, 2, 4), (1, 2, 0, 2), (0, 1, 1, 2)]
            : [(0, 1, 0, 1)]
        return passes.flatMap { left, across, top, down in
            let columns = stride(from: left, to: width, by: across).reduce(0) { count, _ in count + 1 }
            let rows = stride(from: top, to: height, by: down).reduce(0) { count, _ in count + 1 }
            return [Int](repeating: (columns * bitsPerPixel + 7) / 8, count: columns == 0 ? 0 : rows)
        }
    }

    static func file(_ chunks: [Chunk]) -> [UInt8] {
        [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A] + chunks.flatMap(\.bytes)
    }

    static func split(_ stream: [UInt8], _ pieces: Int) -> [Chunk] {
        (0..<pieces).map { piece in
            let range = (stream.count * piece / pieces)..<(stream.count * (piece + 1) / pieces)
            return Chunk(kind: "IDAT", body: Array(stream[range]))
        }
    }

    static func compressed(_ bytes: [UInt8], level: Int32 = 6) -> [UInt8] {
        var count = compressBound(UInt(bytes.count))
        var out = [UInt8](repeating: 0, count: Int(count))
        precondition(compress2(&out, &count, bytes, UInt(bytes.count), level) == Z_OK)
        return Array(out[..<Int(count)])
    }

    static func crc(_ bytes: [UInt8]) -> Int { Int(crc32(0, bytes, UInt32(bytes.count))) }

    /// The same with each chunk's sum made right.
    static func summed(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        var start = 8
        while start + 12 <= bytes.count {
            let end = start + 8 + bytes[start..<(start + 4)].reduce(0) { $0 << 8 | Int($1) }
            guard end + 4 <= bytes.count else { break }
            bytes.replaceSubrange(end..<(end + 4), with: bigEndian(crc(Array(bytes[(start + 4)..<end]))))
            start = end + 4
        }
        return bytes
    }
}

func bigEndian(_ number: Int) -> [UInt8] { [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) } }
