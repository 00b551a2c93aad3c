import TokenizerCore

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// How much one picture is like another of the same size; samples are taken as 0...1.
public enum Quality {
    /// Peak signal-to-noise ratio over all samples, in decibels; infinite for equal pictures.
    public static func psnr(_ image: RGBImage, _ reference: RGBImage) -> Double {
        precondition(image.width == reference.width && image.height == reference.height)
        var sum = 0
        for (a, b) in zip(image.pixels, reference.pixels) {
            let difference = Int(a) - Int(b)
            sum += difference * difference
        }
        guard sum > 0 else { return .infinity }
        return 10 * log10(255 * 255 * Double(image.pixels.count) / Double(sum))
    }

    /// Structural similarity (Wang et al. 2004) under a Gaussian window of 11 and sigma 1.5, K1 0.01 and K2 0.03, the
    /// mean over channels and over the positions at which the window lies inside, as torchmetrics has it.
    ///
    /// - Returns: `nil` for pictures smaller than the window.
    public static func ssim(_ image: RGBImage, _ reference: RGBImage) -> Double? {
        precondition(image.width == reference.width && image.height == reference.height)
        guard image.width >= window.count, image.height >= window.count else { return nil }
        var total = 0.0
        for channel in 0..<3 {
            let x = plane(image, channel), y = plane(reference, channel)
            let size = (image.width, image.height)
            let meanX = blurred(x, size), meanY = blurred(y, size)
            let squareX = blurred(zip(x, x).map(*), size), squareY = blurred(zip(y, y).map(*), size)
            let product = blurred(zip(x, y).map(*), size)
            var sum = 0.0
            for i in meanX.indices {
                let (mx, my) = (meanX[i], meanY[i])
                let covariance = product[i] - mx * my
                let variances = max(0, squareX[i] - mx * mx) + max(0, squareY[i] - my * my)
                sum +=
                    (2 * mx * my + 1e-4) * (2 * covariance + 9e-4)
                    / ((mx * mx + my * my + 1e-4) * (variances + 9e-4))
            }
            total += sum / Double(meanX.count)
        }
        return total / 3
    }

    private static let window: [Double] = {
        let weights = (-5...5).map { exp(-Double($0 * $0) / (2 * 1.5 * 1.5)) }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }()

    private static func plane(_ image: RGBImage, _ channel: Int) -> [Double] {
        stride(from: channel, to: image.pixels.count, by: 3).map { Double(image.pixels[$0]) / 255 }
    }

    /// (height, width) -> (height - 10, width - 10): rows, then columns.
    private static func blurred(_ plane: [Double], _ size: (width: Int, height: Int)) -> [Double] {
        let outWidth = size.width - window.count + 1, outHeight = size.height - window.count + 1
        var rows = [Double](repeating: 0, count: size.height * outWidth)
        var out = [Double](repeating: 0, count: outHeight * outWidth)
        for (offset, weight) in window.enumerated() {
            for y in 0..<size.height {
                for x in 0..<outWidth { rows[y * outWidth + x] += weight * plane[y * size.width + x + offset] }
            }
        }
        for (offset, weight) in window.enumerated() {
            for i in out.indices { out[i] += weight * rows[i + offset * outWidth] }
        }
        return out
    }
}
