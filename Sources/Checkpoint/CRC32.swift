import CZlib

/// The checksum of zip members (PKWARE APPNOTE 6.3.10, 4.4.7).
enum CRC32 {
    static func checksum(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        // zlib takes a null pointer for the question what an empty sum is: 0, which is right here too.
        UInt32(truncatingIfNeeded: crc32_z(0, bytes.bindMemory(to: UInt8.self).baseAddress, bytes.count))
    }
}
