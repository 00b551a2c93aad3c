import CCodecs
import ImageInput
import TokenizerCore

private let limits = ImageLimits(fileBytes: 1 << 16, pixels: 1 << 14, scans: 16, scanPixels: 1 << 16, seconds: 5)

func checkPicture(_ bytes: [UInt8]) throws(FuzzFailure) {
    var choices = Choices(bytes)
    let options = PictureOptions(
        orientation: Bool.random(using: &choices) ? .apply : .ignore,
        alpha: [.white, .black, .drop].randomElement(using: &choices) ?? .white)
    let image: RGBImage
    let source: SourceInfo
    do throws(ImageError) {
        (image, source) = try decode(bytes, options: options, limits: limits)
    } catch {
        try require(error != .deadline(seconds: limits.seconds), "\(error)")
        return try require(!error.description.contains(where: \.isNewline), "an error of several lines")
    }
    try check(image, source, bytes)
    let again = try? decode(bytes, options: options, limits: limits)
    try require(again?.image == image, "the same file gives another picture")
    let preprocessing = Preprocessing(
        filter: Bool.random(using: &choices) ? .bicubic : .bilinear, size: Int.random(in: 1...64, using: &choices))
    let prepared = prepare(image, for: preprocessing)
    try require(
        (prepared.width, prepared.height) == (preprocessing.size, preprocessing.size),
        "\(prepared.width)x\(prepared.height) for \(preprocessing)")
    let written = try? decode(encodePNG(image), options: options)
    try require(written?.image == image, "the picture written as PNG is another")
}

private func check(_ image: RGBImage, _ source: SourceInfo, _ bytes: [UInt8]) throws(FuzzFailure) {
    try require((try? probe(bytes)) == source, "the header says otherwise when it is read alone")
    let (stored, upright) = ((source.width, source.height), (image.width, image.height))
    try require(
        upright == stored || upright == (stored.1, stored.0), "\(upright) pixels where the header says \(stored)")
    try require(image.width * image.height <= limits.pixels, "\(upright) pixels, over the limit")
    try require(image.pixels.count == image.width * image.height * 3, "\(image.pixels.count) samples for \(upright)")
    try require(source.decodingBytes >= image.pixels.count, "an estimate of \(source.decodingBytes) bytes, too little")
}

/// The input as it is, and with checksums that are right: without those no change would get past them.
func checkPNG(_ bytes: [UInt8]) throws(FuzzFailure) {
    for file in [bytes, checksummed(bytes)] {
        try checkPicture(file)
        try checkPaths(file)
    }
}

/// What libdeflate reads, libpng reads too, and to the same pixels.
private func checkPaths(_ bytes: [UInt8]) throws(FuzzFailure) {
    guard let source = try? probe(bytes), source.width <= limits.pixels / source.height else { return }
    let (width, height) = (Int64(source.width), Int64(source.height))
    var bounds = cc_limits(deadline: .max, max_scans: 0, max_scan_pixels: 0)
    var report = cc_report()
    var plain = [UInt8](repeating: 0, count: source.width * source.height * 3)
    guard cc_png_decode_plain(bytes, bytes.count, width, height, &bounds, 0, &plain) == 1 else { return }
    var pixels = [UInt8](repeating: 0, count: plain.count)
    let status = cc_png_decode_libpng(bytes, bytes.count, width, height, &bounds, 0, &pixels, &report)
    try require(status == 0, "libdeflate reads what libpng refuses")
    try require(pixels == plain, "libdeflate and libpng read different pictures")
}

/// A PNG's chunks (PNG, third edition, 5.3), each with the checksum that belongs to it.
private func checksummed(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    var start = 8
    while start + 12 <= bytes.count {
        let length = bytes[start..<start + 4].reduce(0) { $0 << 8 | Int($1) }
        let end = start + 8 + length
        guard end + 4 <= bytes.count else { break }
        let sum = crc32(bytes[(start + 4)..<end])
        for index in 0..<4 { bytes[end + index] = UInt8(truncatingIfNeeded: sum >> UInt32(24 - 8 * index)) }
        start = end + 4
    }
    return bytes
}

/// PNG, third edition, annex D.
private func crc32(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    var sum = UInt32.max
    for byte in bytes {
        sum ^= UInt32(byte)
        for _ in 0..<8 { sum = sum & 1 == 0 ? sum >> 1 : sum >> 1 ^ 0xEDB8_8320 }
    }
    return ~sum
}
