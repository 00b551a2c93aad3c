/// The checksum of zip members (PKWARE APPNOTE 6.3.10, 4.4.7): reflected polynomial 0xEDB88320, eight bytes at a time.
enum CRC32 {
    /// `tables[256 * k + b]` is the checksum of byte `b` followed by `k` zero bytes, without the inversions.
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var value = UInt32(byte)
            for _ in 0..<8 { value = value & 1 == 1 ? value >> 1 ^ 0xEDB8_8320 : value >> 1 }
            tables[byte] = value
        }
        for index in 256..<tables.count {
            let previous = tables[index - 256]
            tables[index] = previous >> 8 ^ tables[Int(previous & 0xFF)]
        }
        return tables
    }()

    static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        tables.withUnsafeBufferPointer { tables in
            var value = UInt32.max
            var position = 0
            while bytes.count - position >= 8 {
                let word = bytes.loadUnaligned(fromByteOffset: position, as: UInt64.self).littleEndian ^ UInt64(value)
                value = 0
                for index in 0..<8 {
                    value ^= tables[256 * (7 - index) + Int(word >> UInt64(8 * index) & 0xFF)]
                }
                position += 8
            }
            for byte in bytes[position...] { value = value >> 8 ^ tables[Int((value ^ UInt32(byte)) & 0xFF)] }
            return ~value
        }
    }
}
