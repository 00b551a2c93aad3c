/// Why an image was refused.
public enum ImageError: Error, Sendable, Equatable, CustomStringConvertible {
    /// Neither PNG nor JPEG; `found` names what the bytes are, as far as they tell.
    case unsupported(found: String)
    /// More bytes than `ImageLimits.fileBytes`.
    case fileBytes(found: Int, limit: Int)
    /// More pixels in the header than `ImageLimits.pixels`.
    case pixels(width: Int, height: Int, limit: Int)
    /// More scans than `ImageLimits.scans`, or more scans times pixels than `ImageLimits.scanPixels`.
    case scans(found: Int, width: Int, height: Int, limits: ImageLimits)
    /// A header or pixel data that can't be decoded; `reason` holds the decoder's own words.
    case undecodable(format: SourceInfo.Format, reason: String)
    /// Decoding took more processor time than `ImageLimits.seconds`.
    case deadline(seconds: Double)
    /// The system had no memory left for the image.
    case memory(width: Int, height: Int)

    public var description: String {
        switch self {
        case .unsupported(let found):
            return "\(found) is not read; send PNG or JPEG"
        case .fileBytes(let found, let limit):
            return "the picture's file has \(found) bytes; at most \(limit) are read"
        case .pixels(let width, let height, let limit):
            return "the picture's header says \(width)x\(height) pixels; at most \(limit) pixels in all are decoded"
        case .scans(let found, let width, let height, let limits):
            return "the JPEG has \(found) scans or more of \(width)x\(height) pixels; "
                + "at most \(limits.scans) scans, and \(limits.scanPixels) scans times pixels, are decoded"
        case .undecodable(let format, let reason):
            return "the \(format.rawValue) picture can't be decoded: \(reason)"
        case .deadline(let seconds):
            return "the picture was not decoded within \(seconds) s of processor time"
        case .memory(let width, let height):
            return "out of memory for a picture of \(width)x\(height) pixels"
        }
    }
}
