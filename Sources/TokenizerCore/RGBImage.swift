/// An image of 8-bit RGB samples, row-major: shape (height, width, 3), no padding between rows.
public struct RGBImage: Sendable, Equatable {
    /// Width in pixels, at least 1.
    public let width: Int
    /// Height in pixels, at least 1.
    public let height: Int
    /// `height * width * 3` samples, red first.
    public let pixels: [UInt8]

    /// - Precondition: `pixels` holds exactly `height * width * 3` samples.
    public init(width: Int, height: Int, pixels: [UInt8]) {
        precondition(width > 0 && height > 0 && pixels.count == width * height * 3)
        self.width = width
        self.height = height
        self.pixels = pixels
    }
}
