import CCodecs
import TokenizerCore

/// Format and size of a PNG or JPEG, from its header alone.
///
/// - Throws: `unsupported`, or `undecodable` for a header that is damaged.
public func probe(_ bytes: UnsafeRawBufferPointer) throws(ImageError) -> SourceInfo {
    try readHeader(Bytes(raw: bytes)).info
}

/// Format and size of a PNG or JPEG, from its header alone.
///
/// - Throws: `unsupported`, or `undecodable` for a header that is damaged.
public func probe(_ bytes: [UInt8]) throws(ImageError) -> SourceInfo {
    try withBytes(bytes) { (raw) throws(ImageError) in try probe(raw) }
}

/// Decodes a PNG or JPEG to 8-bit RGB, byte for byte as Pillow does (see `PictureOptions`). 16-bit grey is scaled by
/// 1/257 instead of clipped. Colour profiles and gamma are disregarded.
///
/// Sizes are checked against `limits` before memory is taken. Missing or corrupt pixel data is an error. What leaves
/// every pixel as it is is forgiven: a missing end marker, stray bytes after the image or before a marker, a wrong
/// length of a JPEG's segment, a progressive JPEG without its last bits. Metadata that can't be read counts as none.
///
/// - Returns: the upright image, and what the header says of the stored one.
public func decode(
    _ bytes: UnsafeRawBufferPointer, options: PictureOptions = PictureOptions(), limits: ImageLimits = ImageLimits()
) throws(ImageError) -> (image: RGBImage, source: SourceInfo) {
    let deadline = Deadline(seconds: limits.seconds)
    guard bytes.count <= limits.fileBytes else { throw .fileBytes(found: bytes.count, limit: limits.fileBytes) }
    let header = try readHeader(Bytes(raw: bytes))
    let info = header.info
    let (pixels, overflow) = info.width.multipliedReportingOverflow(by: info.height)
    guard !overflow, pixels <= min(limits.pixels, .max / 64) else {
        throw .pixels(width: info.width, height: info.height, limit: limits.pixels)
    }
    let stored = try decodePixels(bytes, info: info, alpha: options.alpha, limits: limits, deadline: deadline)
    guard options.orientation == .apply else { return (stored, info) }
    let orientation =
        switch info.format {
        case .png: PNGMetadata(Bytes(raw: bytes)).orientation
        case .jpeg: statedOrientation(exif: header.exif, xmp: header.xmp)
        }
    return (upright(stored, orientation: orientation), info)
}

/// Decodes a PNG or JPEG to 8-bit RGB; see the overload over raw bytes.
public func decode(
    _ bytes: [UInt8], options: PictureOptions = PictureOptions(), limits: ImageLimits = ImageLimits()
) throws(ImageError) -> (image: RGBImage, source: SourceInfo) {
    try withBytes(bytes) { (raw) throws(ImageError) in try decode(raw, options: options, limits: limits) }
}

/// A moment of the calling thread's processor time, in nanoseconds: only for that thread.
private struct Deadline {
    let nanoseconds: Int64

    init(seconds: Double) {
        // A century stands for "never", so that no sum overflows.
        nanoseconds = cc_thread_time() + Int64(min(max(seconds, 0), 3e9) * 1e9)
    }
}

private func withBytes<R>(
    _ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) throws(ImageError) -> R
) throws(ImageError) -> R {
    try bytes.withUnsafeBufferPointer { (buffer) throws(ImageError) in try body(UnsafeRawBufferPointer(buffer)) }
}

private func decodePixels(
    _ bytes: UnsafeRawBufferPointer, info: SourceInfo, alpha: PictureOptions.Alpha, limits: ImageLimits,
    deadline: Deadline
) throws(ImageError) -> RGBImage {
    let data = bytes.bindMemory(to: UInt8.self)
    let (width, height) = (Int64(info.width), Int64(info.height))
    var bounds = cc_limits(
        deadline: deadline.nanoseconds, max_scans: Int64(limits.scans), max_scan_pixels: Int64(limits.scanPixels))
    var report = cc_report()
    var status = Int32(0)
    let count = info.width * info.height * 3
    let pixels = [UInt8](unsafeUninitializedCapacity: count) { out, initialized in
        switch info.format {
        case .jpeg:
            status = cc_jpeg_decode(
                data.baseAddress, data.count, width, height, &bounds, out.baseAddress, &report)
        case .png:
            status = cc_png_decode(
                data.baseAddress, data.count, width, height, &bounds, alpha.code, out.baseAddress, &report)
        }
        initialized = status == 0 ? count : 0
    }
    switch UInt32(bitPattern: status) {
    case CC_OK.rawValue: return RGBImage(width: info.width, height: info.height, pixels: pixels)
    case CC_DEADLINE.rawValue: throw .deadline(seconds: limits.seconds)
    case CC_SCANS.rawValue:
        throw .scans(found: Int(report.scans), width: info.width, height: info.height, limits: limits)
    case CC_MEMORY.rawValue: throw .memory(width: info.width, height: info.height)
    default: throw .undecodable(format: info.format, reason: words(of: report))
    }
}

private func words(of report: cc_report) -> String {
    withUnsafeBytes(of: report.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
}

private func upright(_ image: RGBImage, orientation: Int) -> RGBImage {
    guard orientation > 1 else { return image }
    let pixels = [UInt8](unsafeUninitializedCapacity: image.pixels.count) { out, initialized in
        cc_orient(image.pixels, Int64(image.width), Int64(image.height), Int32(orientation), out.baseAddress)
        initialized = image.pixels.count
    }
    return orientation < 5
        ? RGBImage(width: image.width, height: image.height, pixels: pixels)
        : RGBImage(width: image.height, height: image.width, pixels: pixels)
}

extension PictureOptions.Alpha {
    fileprivate var code: Int32 {
        switch self {
        case .white: Int32(CC_ALPHA_WHITE.rawValue)
        case .black: Int32(CC_ALPHA_BLACK.rawValue)
        case .drop: Int32(CC_ALPHA_DROP.rawValue)
        }
    }
}
