/// The orientation 1...8 that metadata states, found as Pillow's `getexif` finds it: tag 274 of the first EXIF
/// directory, else the first `tiff:Orientation` of an XMP packet. Anything unreadable is 1.
func statedOrientation(exif: [UInt8]?, xmp: UnsafeRawBufferPointer?) -> Int {
    let found = exif?.withUnsafeBytes { exifOrientation($0) } ?? xmp.flatMap { xmpOrientation($0) }
    return validOrientation(found)
}

/// `found` if it is in 1...8, else 1.
func validOrientation(_ found: Int?) -> Int {
    guard let found, (1...8).contains(found) else { return 1 }
    return found
}

/// Tag 274 of the first directory of a TIFF structure (TIFF 6.0, section 2; EXIF 2.32, 4.6.4).
///
/// - Returns: `nil` if there are no bytes or the tag isn't there or can't be read; 1 if its value isn't a whole number
///   or the bytes aren't TIFF at all, for then Pillow doesn't look at XMP.
func exifOrientation(_ raw: UnsafeRawBufferPointer) -> Int? {
    var tiff = Bytes(raw: raw)
    if tiff.starts(with: "Exif\0\0"), let rest = tiff.slice(6, raw.count - 6) { tiff = Bytes(raw: rest) }
    guard tiff.count > 0 else { return nil }
    tiff.bigEndian = tiff.starts(with: "MM")
    guard tiff.bigEndian || tiff.starts(with: "II") else { return 1 }
    // Pillow accepts the version 42 in either order.
    guard [42, 0x2A00].contains(tiff.u16(2)), let directory = tiff.u32(4) else { return 1 }
    guard let entries = tiff.u16(directory) else { return nil }
    var outside = 0
    for index in 0..<entries {
        let at = directory + 2 + index * 12
        guard let tag = tiff.u16(at), let type = tiff.u16(at + 2), let count = tiff.u32(at + 4),
            tiff.slice(at, 12) != nil
        else { return nil }
        guard let unit = unitSizes[type] else { continue }
        var data = at + 8
        let size = unit * count
        if size > 4 {
            outside += size
            if outside > tiff.count { continue }
            guard let offset = tiff.u32(data), tiff.slice(offset, size) != nil else { return nil }
            data = offset
        }
        if tag == 274 && size > 0 { return wholeNumber(tiff, at: data, type: type) }
    }
    return nil
}

/// Bytes per value, by TIFF type.
private let unitSizes = [
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8,
]

/// The first value at `at` if it is a whole number in 1...8, else 1. Types that Pillow reads as text or bytes are 1.
private func wholeNumber(_ tiff: Bytes, at: Int, type: Int) -> Int {
    var value: Double?
    switch type {
    case 3, 8: value = tiff.u16(at).map(Double.init)
    case 4, 9, 13: value = tiff.u32(at).map(Double.init)
    case 6: value = tiff.u8(at).map(Double.init)
    case 5, 10:
        if let over = tiff.u32(at), let under = tiff.u32(at + 4), under > 0 { value = Double(over) / Double(under) }
    case 11:
        value = tiff.u32(at).map { Double(Float(bitPattern: UInt32(truncatingIfNeeded: $0))) }
    case 12, 16:
        if let first = tiff.u32(at), let second = tiff.u32(at + 4) {
            let (high, low) = tiff.bigEndian ? (first, second) : (second, first)
            let bits = UInt64(high) << 32 | UInt64(low)
            value = type == 12 ? Double(bitPattern: bits) : Double(bits)
        }
    default: break
    }
    guard let value, let whole = Int(exactly: value), (1...8).contains(whole) else { return 1 }
    return whole
}

/// The digit after the first `tiff:Orientation="` or `tiff:Orientation>`.
func xmpOrientation(_ packet: UnsafeRawBufferPointer) -> Int? {
    let bytes = Bytes(raw: packet)
    for at in 0..<packet.count where packet[at] == 0x74 && bytes.starts(with: "tiff:Orientation", at: at) {
        let after = at + 16
        let digitAt = bytes.starts(with: "=\"", at: after) ? after + 2 : after + 1
        guard digitAt == after + 2 || bytes.starts(with: ">", at: after) else { continue }
        if let digit = bytes.u8(digitAt), (0x30...0x39).contains(digit) { return digit - 0x30 }
    }
    return nil
}
