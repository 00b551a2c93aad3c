import CCodecs
import TokenizerCore

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Encodes an image as an 8-bit RGB PNG without ancillary chunks. The same image always gives the same bytes.
public func encodePNG(_ image: RGBImage) -> [UInt8] {
    var bytes: UnsafeMutablePointer<UInt8>?
    var count = 0
    let status = cc_png_encode(image.pixels, Int64(image.width), Int64(image.height), &bytes, &count)
    precondition(status == 0, "out of memory while encoding a PNG")
    defer { free(bytes) }
    return Array(UnsafeBufferPointer(start: bytes, count: count))
}
