import TokenizerCore

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// How much one image is like another of the same size; samples are taken as 0...1.
///
/// The definitions are those of torchmetrics 1.9 with `data_range=1.0`. Its SSIM is the mean over the whole image,
/// reflected at the borders; scikit-image's, and that of torchmetrics before its pull request 2721 (2024), leaves out
/// the 5 samples next to them.
public enum Quality {
    /// Peak signal-to-noise ratio over all samples, in decibels; infinite for equal images.
    public static func psnr(_ image: RGBImage, _ reference: RGBImage) -> Double {
        precondition(image.width == reference.width && image.height == reference.height)
        let sum = image.pixels.withUnsafeBufferPointer { a in
            reference.pixels.withUnsafeBufferPointer { b in
                var sum = 0
                var i = 0
                while i < a.count {
                    let difference = Int(a[i]) - Int(b[i])
                    sum += difference * difference
                    i += 1
                }
                return sum
            }
        }
        guard sum > 0 else { return .infinity }
        return 10 * log10(255 * 255 * Double(image.pixels.count) / Double(sum))
    }

    /// Structural similarity (Wang et al. 2004, "Image quality assessment: from error visibility to structural
    /// similarity") under a Gaussian window of 11 and sigma 1.5, K1 0.01 and K2 0.03: the mean over channels and pixels
    /// of the image reflected at its borders.
    ///
    /// - Returns: -1...1; `nil` for images with a side of less than 6 pixels, which can't be reflected.
    public static func ssim(_ image: RGBImage, _ reference: RGBImage) -> Double? {
        StructuralSimilarity(planes(image, reference))?.whole
    }

    /// Multi-scale structural similarity (Wang, Simoncelli and Bovik 2003) over 5 scales, each half the one before by
    /// averages of 2 x 2: the product of the contrasts' means at the first 4 and SSIM at the last, each raised to its
    /// weight. Negative means count as 0 (`normalize="relu"`). A contrast's mean leaves out the 5 samples next to the
    /// borders; SSIM's doesn't.
    ///
    /// - Returns: 0...1; `nil` for images with a side of less than 176 pixels.
    public static func multiScaleSSIM(_ image: RGBImage, _ reference: RGBImage) -> Double? {
        structure(image, reference)?.multiScaleSSIM
    }

    /// `ssim` and `multiScaleSSIM` in less time than one after the other.
    ///
    /// - Returns: `nil` where `ssim` has no value.
    public static func structure(
        _ image: RGBImage, _ reference: RGBImage
    ) -> (ssim: Double, multiScaleSSIM: Double?)? {
        var pairs = planes(image, reference)
        guard let first = StructuralSimilarity(pairs) else { return nil }
        guard min(image.width, image.height) / 16 >= StructuralSimilarity.window else { return (first.whole, nil) }
        var scale = first
        var product = 1.0
        for (index, weight) in scaleWeights.enumerated() {
            if index > 0 {
                pairs = pairs.map { ($0.halved(), $1.halved()) }
                guard let next = StructuralSimilarity(pairs) else { return (first.whole, nil) }
                scale = next
            }
            let mean = index + 1 < scaleWeights.count ? scale.contrast : scale.whole
            product *= pow(max(0, mean ?? 0), weight)
        }
        return (first.whole, product)
    }

    private static func planes(_ image: RGBImage, _ reference: RGBImage) -> [(Plane, Plane)] {
        precondition(image.width == reference.width && image.height == reference.height)
        return (0..<3).map { (Plane(image, channel: $0), Plane(reference, channel: $0)) }
    }

    /// Wang, Simoncelli and Bovik 2003, section 3.2.
    private static let scaleWeights = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333]
}
