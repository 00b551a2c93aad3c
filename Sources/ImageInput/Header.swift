/// What a file says before its pixels: format and size, and where a JPEG may state its orientation (a PNG may do so
/// after its pixels too; see `PNGMetadata`).
struct Header {
    var info: SourceInfo
    /// A TIFF structure, from APP1 segments after "Exif\0\0", joined.
    var exif: [UInt8]?
    /// An APP1 segment with an XMP packet, the last one.
    var xmp: UnsafeRawBufferPointer?
}

/// Reads the header of a PNG or JPEG; the bytes decide, not a file name.
///
/// - Returns: width and height as stored, not yet checked against any limit.
func readHeader(_ bytes: Bytes) throws(ImageError) -> Header {
    if bytes.starts(with: [0xFF, 0xD8]) { return try readJPEGHeader(bytes) }
    if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47]) { return try readPNGHeader(bytes) }
    throw .unsupported(found: formatName(bytes))
}

/// The name of a format that isn't read, for the error.
private func formatName(_ bytes: Bytes) -> String {
    if bytes.count == 0 { return "an empty picture (0 bytes)" }
    if bytes.starts(with: "GIF8") { return "gif" }
    if bytes.starts(with: "RIFF") && bytes.starts(with: "WEBP", at: 8) { return "webp" }
    if bytes.starts(with: "BM") { return "bmp" }
    if bytes.starts(with: [0x49, 0x49, 0x2A, 0]) || bytes.starts(with: [0x4D, 0x4D, 0, 0x2A]) { return "tiff" }
    if bytes.starts(with: [0x49, 0x49, 0x2B, 0]) || bytes.starts(with: [0x4D, 0x4D, 0, 0x2B]) { return "tiff" }
    if bytes.starts(with: "ftyp", at: 4) {
        if bytes.starts(with: "avi", at: 8) { return "avif" }
        for brand: StaticString in ["hei", "hev", "mif1", "msf1"] where bytes.starts(with: brand, at: 8) {
            return "heic"
        }
        return "an ISO media file"
    }
    if bytes.starts(with: [0xFF, 0x0A]) || bytes.starts(with: "JXL ", at: 4) { return "jpeg xl" }
    if bytes.starts(with: "jP  ", at: 4) || bytes.starts(with: [0xFF, 0x4F, 0xFF, 0x51]) { return "jpeg 2000" }
    if bytes.starts(with: "%PDF") { return "pdf" }
    if bytes.starts(with: "<svg") || bytes.starts(with: "<?xml") { return "svg" }
    return "an unknown format"
}

// MARK: - PNG (W3C PNG 3rd edition, section 5)

let pngSignature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

private func readPNGHeader(_ bytes: Bytes) throws(ImageError) -> Header {
    guard bytes.starts(with: pngSignature) else {
        throw .undecodable(format: .png, reason: "the 8-byte signature is cut off or damaged")
    }
    guard bytes.u32(8) == 13, bytes.starts(with: "IHDR", at: 12), let width = bytes.u32(16),
        let height = bytes.u32(20), let colourType = bytes.u8(25), let interlace = bytes.u8(28)
    else {
        throw .undecodable(format: .png, reason: "the first chunk is not a whole IHDR of 13 bytes")
    }
    guard (1...0x7FFF_FFFF).contains(width), (1...0x7FFF_FFFF).contains(height) else {
        throw .undecodable(format: .png, reason: "IHDR says \(width)x\(height); expected 1...2147483647 each")
    }
    let memory =
        interlace == 0
        ? plainBytes(width: width, height: height, channels: colourType == 6 ? 4 : 3, file: bytes.count)
        // 3 for RGB, 3 for its oriented copy, all rows at up to 4 bytes per pixel; metadata once more.
        : sum(product(width, height, 10), bytes.count)
    return Header(info: SourceInfo(width: width, height: height, format: .png, decodingBytes: memory))
}

/// RGB; all rows and the one above them with their filters, in whose place the oriented copy comes; the stream once
/// more where it is in pieces, or in its place metadata.
private func plainBytes(width: Int, height: Int, channels: Int, file: Int) -> Int {
    sum(sum(product(width, height, 3), product(width * channels + 1, height + 1, 1)), file)
}

// MARK: - JPEG (ITU-T T.81, B.1.1 and B.2)

private func readJPEGHeader(_ bytes: Bytes) throws(ImageError) -> Header {
    var header: Header?
    var exif: [UInt8]?
    var xmp: UnsafeRawBufferPointer?
    var at = 2
    while let (marker, start) = nextMarker(bytes, at), marker != 0xD9 {
        if marker == 0x01 || (0xD0...0xD8).contains(marker) {
            at = start
            continue
        }
        // Lengths 0 and 1, which don't even count themselves, are taken as 2 by libjpeg and Pillow alike.
        guard let length = bytes.u16(start).map({ max($0, 2) }), let segment = bytes.slice(start + 2, length - 2)
        else { break }
        if isFrame(marker) && header == nil {
            header = try Header(info: frameInfo(Bytes(raw: segment)))
        } else if marker == 0xE1 {
            collectAPP1(segment, exif: &exif, xmp: &xmp)
        } else if marker == 0xDA {
            break
        }
        at = start + length
    }
    guard var header else {
        throw .undecodable(format: .jpeg, reason: "the file ends before a whole frame header (SOF)")
    }
    header.exif = exif
    header.xmp = xmp
    return header
}

/// The next marker's code and the position after it; stray bytes before it are skipped.
private func nextMarker(_ bytes: Bytes, _ from: Int) -> (marker: Int, start: Int)? {
    var at = from
    while let byte = bytes.u8(at) {
        at += 1
        if byte == 0xFF, let code = bytes.u8(at), code != 0, code != 0xFF { return (code, at + 1) }
    }
    return nil
}

private func isFrame(_ marker: Int) -> Bool {
    (0xC0...0xCF).contains(marker) && marker != 0xC4 && marker != 0xC8 && marker != 0xCC
}

private func frameInfo(_ segment: Bytes) throws(ImageError) -> SourceInfo {
    guard let height = segment.u16(1), let width = segment.u16(3), let components = segment.u8(5) else {
        throw .undecodable(format: .jpeg, reason: "the frame header (SOF) is cut off")
    }
    guard width > 0, height > 0 else {
        throw .undecodable(format: .jpeg, reason: "the frame header says \(width)x\(height); expected 1...65535 each")
    }
    // 3 for RGB, 3 for its oriented copy, and 2 per coefficient, which all stay in memory if there are several scans.
    let perPixel = 6 + 2 * min(components, 4)
    return SourceInfo(width: width, height: height, format: .jpeg, decodingBytes: product(width, height, perPixel))
}

private func collectAPP1(_ segment: UnsafeRawBufferPointer, exif: inout [UInt8]?, xmp: inout UnsafeRawBufferPointer?) {
    let bytes = Bytes(raw: segment)
    if bytes.starts(with: "Exif\0\0") {
        // Appended in place: a file may hold two million segments.
        if exif == nil { exif = [] }
        exif?.append(contentsOf: segment.dropFirst(6))
    } else if bytes.starts(with: "http://ns.adobe.com/xap/1.0/\0") {
        xmp = segment
    }
}

private func sum(_ a: Int, _ b: Int) -> Int {
    let (sum, over) = a.addingReportingOverflow(b)
    return over ? .max : sum
}

/// Saturates, since the limits are checked after the estimate.
private func product(_ width: Int, _ height: Int, _ perPixel: Int) -> Int {
    let (pixels, over) = width.multipliedReportingOverflow(by: height)
    let (bytes, overAgain) = pixels.multipliedReportingOverflow(by: perPixel)
    return over || overAgain ? .max : bytes
}
