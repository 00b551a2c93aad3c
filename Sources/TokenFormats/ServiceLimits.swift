import ImageInput

/// How much one request, and all together, may ask for.
public struct ServiceLimits: Sendable, Equatable {
    /// Images of one request.
    public var imagesPerRequest = 64
    /// Images between arrival and response, over all requests.
    public var queuedImages = 256
    /// Bytes of a body of JSON, or of tokens.
    public var bodyBytes = 64 << 20
    /// Bytes that decoding takes over all images that are being decoded. An image that finds no room waits for the
    /// others: only images on a preprocessing thread hold any of it, so the wait is as short as their decoding.
    public var decodingBytes = 1 << 30
    /// Of one image.
    public var image = ImageLimits()

    /// What one request can have: no more than the queue holds.
    public var mostImages: Int { min(imagesPerRequest, queuedImages) }

    public init() {}
}

/// - Throws: for none, and for more than are allowed.
package func checkImageCount(_ count: Int, name: String, _ limits: ServiceLimits) throws(FormatError) {
    guard count > 0 else { throw .badOption(name, "found an empty list, expected at least one image") }
    let most = limits.mostImages
    guard count <= most else {
        throw FormatError(
            .tooLarge, "too_many_images", "'\(name)': found \(count) images, at most \(most) are taken at once",
            param: name)
    }
}
