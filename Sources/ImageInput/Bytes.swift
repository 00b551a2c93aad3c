/// Bounds-checked reading of big- or little-endian integers; `nil` beyond the end.
struct Bytes {
    let raw: UnsafeRawBufferPointer
    var bigEndian = true

    var count: Int { raw.count }

    func u8(_ at: Int) -> Int? {
        at >= 0 && at < raw.count ? Int(raw[at]) : nil
    }

    func u16(_ at: Int) -> Int? {
        guard at >= 0, raw.count >= 2, at <= raw.count - 2 else { return nil }
        let (a, b) = (Int(raw[at]), Int(raw[at + 1]))
        return bigEndian ? a << 8 | b : b << 8 | a
    }

    func u32(_ at: Int) -> Int? {
        guard at >= 0, raw.count >= 4, at <= raw.count - 4, let a = u16(at), let b = u16(at + 2) else { return nil }
        return bigEndian ? a << 16 | b : b << 16 | a
    }

    /// The bytes `at ..< at + count`, `nil` if they aren't all there.
    func slice(_ at: Int, _ count: Int) -> UnsafeRawBufferPointer? {
        guard at >= 0, count >= 0, at <= raw.count, count <= raw.count - at else { return nil }
        return UnsafeRawBufferPointer(rebasing: raw[at..<(at + count)])
    }

    func starts(with prefix: [UInt8], at: Int = 0) -> Bool {
        slice(at, prefix.count)?.elementsEqual(prefix) ?? false
    }

    func starts(with prefix: StaticString, at: Int = 0) -> Bool {
        let wanted = UnsafeRawBufferPointer(start: prefix.utf8Start, count: prefix.utf8CodeUnitCount)
        return slice(at, wanted.count)?.elementsEqual(wanted) ?? false
    }
}
