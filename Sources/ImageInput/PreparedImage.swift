import TokenizerCore

/// An image as a model takes it, and what its file's header said.
public struct PreparedImage: Sendable, Equatable {
    public let image: RGBImage
    public let source: SourceInfo

    /// Decodes a file, turns the image upright, resizes and crops it, on the caller's thread.
    ///
    /// - Parameter budget: what all callers may take at once; waits for room in it. `nil`: no bound.
    public init(
        _ file: [UInt8], options: PictureOptions, preprocessing: Preprocessing, limits: ImageLimits,
        budget: ByteBudget? = nil
    ) throws(ImageError) {
        guard let budget else {
            self = try Self.decoded(file, options, preprocessing, limits)
            return
        }
        // What the limits refuse needs no room; `decode` says why.
        let info = try probe(file)
        let (pixels, overflow) = info.width.multipliedReportingOverflow(by: info.height)
        let isRefused = overflow || pixels > limits.pixels
        self = try budget.hold(isRefused ? 0 : info.decodingBytes) { () throws(ImageError) in
            try Self.decoded(file, options, preprocessing, limits)
        }
    }

    private init(image: RGBImage, source: SourceInfo) {
        self.image = image
        self.source = source
    }

    private static func decoded(
        _ file: [UInt8], _ options: PictureOptions, _ preprocessing: Preprocessing, _ limits: ImageLimits
    ) throws(ImageError) -> PreparedImage {
        let (image, source) = try decode(file, options: options, limits: limits)
        return PreparedImage(image: prepare(image, for: preprocessing), source: source)
    }
}
