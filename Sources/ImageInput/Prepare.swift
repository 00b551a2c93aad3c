import CCodecs
import TokenizerCore

/// Resizes the shorter edge to `preprocessing.size` and crops the centre, bit for bit as Pillow's `resize` on 8-bit
/// channels and torchvision's `center_crop`. Only the rows and columns that the crop keeps are computed.
///
/// - Returns: an image of `preprocessing.size` squared.
/// - Precondition: `preprocessing.size` is in 1...65536.
public func prepare(_ image: RGBImage, for preprocessing: Preprocessing) -> RGBImage {
    let size = preprocessing.size
    precondition((1...65536).contains(size))
    let (x, y) = axes(width: image.width, height: image.height, size: size)
    if x.source == x.count && y.source == y.count { return image }
    let filter = preprocessing.filter == .bicubic ? CC_BICUBIC : CC_BILINEAR
    let pixels = [UInt8](unsafeUninitializedCapacity: size * size * 3) { out, initialized in
        let status = cc_resample(image.pixels, x, y, Int32(filter.rawValue), out.baseAddress)
        precondition(status == 0, "out of memory while resampling")
        initialized = size * size * 3
    }
    return RGBImage(width: size, height: size, pixels: pixels)
}

/// Sizes of the whole resized image, the longer edge truncated as Python's `int(size * long / short)`, and the window
/// of the centre crop, whose offsets are rounded half to even.
func axes(width: Int, height: Int, size: Int) -> (x: cc_axis, y: cc_axis) {
    let short = min(width, height)
    func axis(_ source: Int) -> cc_axis {
        let resized = source == short ? size : Int(Double(size * source) / Double(short))
        let start = Int((Double(resized - size) / 2).rounded(.toNearestOrEven))
        return cc_axis(source: Int64(source), resized: Int64(resized), start: Int64(start), count: Int64(size))
    }
    return (axis(width), axis(height))
}
