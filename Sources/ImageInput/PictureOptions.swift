/// How much work one image may cause.
public struct ImageLimits: Sendable, Hashable {
    /// Bytes of the file.
    public var fileBytes: Int
    /// Width times height, from the header.
    public var pixels: Int
    /// Scans of a progressive or multi-scan JPEG.
    public var scans: Int
    /// Scans times pixels; each scan of a progressive JPEG passes over the whole image.
    public var scanPixels: Int
    /// Processor time that the decoding thread may take, checked between rows and around the inflating of a PNG's data,
    /// which goes in one. Other work on the machine doesn't count.
    public var seconds: Double

    public init(
        fileBytes: Int = 20 << 20, pixels: Int = 25_000_000, scans: Int = 100, scanPixels: Int = 250_000_000,
        seconds: Double = 2.0
    ) {
        self.fileBytes = fileBytes
        self.pixels = pixels
        self.scans = scans
        self.scanPixels = scanPixels
        self.seconds = seconds
    }
}

/// How a file becomes RGB. The defaults equal Pillow's `exif_transpose`, then `alpha_composite` over white, then
/// `convert("RGB")`; `ignore` and `drop` together equal `convert("RGB")` alone.
public struct PictureOptions: Sendable, Hashable {
    /// What to do with the orientation that the file's metadata states.
    public enum Orientation: String, Sendable, Hashable, CaseIterable {
        case apply
        case ignore
    }

    /// What lies under transparent pixels.
    public enum Alpha: String, Sendable, Hashable, CaseIterable {
        case white
        case black
        /// Transparency is disregarded.
        case drop
    }

    public var orientation: Orientation
    public var alpha: Alpha

    public init(orientation: Orientation = .apply, alpha: Alpha = .white) {
        self.orientation = orientation
        self.alpha = alpha
    }
}

/// What the header of an image says.
public struct SourceInfo: Sendable, Hashable {
    public enum Format: String, Sendable, Hashable {
        case png
        case jpeg
    }

    /// Width in pixels as stored, before any orientation is applied.
    public var width: Int
    /// Height in pixels as stored.
    public var height: Int
    public var format: Format
    /// Upper estimate of the memory that decoding takes, the RGB result included, in bytes: for a budget over the
    /// images in flight.
    public var decodingBytes: Int

    public init(width: Int, height: Int, format: Format, decodingBytes: Int) {
        self.width = width
        self.height = height
        self.format = format
        self.decodingBytes = decodingBytes
    }
}
