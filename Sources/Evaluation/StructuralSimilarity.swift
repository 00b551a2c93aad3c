#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// Means of the maps of structural similarity (Wang et al. 2004, equations 6 and 13) at one scale.
struct StructuralSimilarity {
    /// Edge of the Gaussian window in samples: sigma 1.5, cut off at 3.5 sigma.
    static let window = 11
    /// Samples from the window's middle to its edge.
    static let reach = 5

    /// SSIM over all pixels.
    let whole: Double
    /// SSIM over the pixels at which the window lies inside the image; `nil` where there is none.
    let interior: Double?
    /// The product of contrast and structure over the same pixels.
    let contrast: Double?

    /// - Parameter channels: pairs of planes, all of one size.
    /// - Returns: `nil` for planes that can't be reflected, having sides of `reach` or less, and for no planes.
    init?(_ channels: [(Plane, Plane)]) {
        guard let size = channels.first?.0, min(size.width, size.height) > Self.reach else { return nil }
        let sums = channels.reduce(into: Sums()) { $0.add($1.0, $1.1) }
        let pixels = channels.count * size.width * size.height
        let inside = channels.count * max(0, size.width - 2 * Self.reach) * max(0, size.height - 2 * Self.reach)
        whole = sums.whole / Double(pixels)
        interior = inside > 0 ? sums.interior / Double(inside) : nil
        contrast = inside > 0 ? sums.contrast / Double(inside) : nil
    }

    private struct Sums {
        var whole = 0.0
        var interior = 0.0
        var contrast = 0.0

        mutating func add(_ first: Plane, _ second: Plane) {
            let (width, height) = (first.width, first.height)
            let x = first.reflected(reach), y = second.reflected(reach)
            let maps = [x, y, x * x, y * y, x * y].map(blurred)
            maps[0].withUnsafeBufferPointer { meanX in
                maps[1].withUnsafeBufferPointer { meanY in
                    maps[2].withUnsafeBufferPointer { squareX in
                        maps[3].withUnsafeBufferPointer { squareY in
                            maps[4].withUnsafeBufferPointer { product in
                                for i in 0..<width * height {
                                    let (mx, my) = (meanX[i], meanY[i])
                                    let covariance = product[i] - mx * my
                                    let variances = max(0, squareX[i] - mx * mx) + max(0, squareY[i] - my * my)
                                    let contrast = (2 * covariance + c2) / (variances + c2)
                                    let luminance = (2 * mx * my + c1) / (mx * mx + my * my + c1)
                                    let (row, column) = i.quotientAndRemainder(dividingBy: width)
                                    let isInside =
                                        min(row, height - 1 - row) >= reach && min(column, width - 1 - column) >= reach
                                    add(luminance * contrast, contrast, isInside)
                                }
                            }
                        }
                    }
                }
            }
        }

        private mutating func add(_ similarity: Double, _ contrast: Double, _ isInside: Bool) {
            whole += similarity
            guard isInside else { return }
            interior += similarity
            self.contrast += contrast
        }
    }

    private static let c1 = 0.01 * 0.01
    private static let c2 = 0.03 * 0.03

    /// Weights at distances 0...`reach` from the middle; over the window they add up to 1.
    private static let weights: [Double] = {
        let half = (0...reach).map { exp(-Double($0 * $0) / (2 * 1.5 * 1.5)) }
        let sum = 2 * half.reduce(0, +) - half[0]
        return half.map { $0 / sum }
    }()

    /// (height, width) -> (height - 10, width - 10): rows, then columns.
    private static func blurred(_ plane: Plane) -> [Double] {
        let outWidth = plane.width - 2 * reach, outHeight = plane.height - 2 * reach
        let rows = plane.samples.withUnsafeBufferPointer { source in
            Plane.filled(plane.height * outWidth) { out in
                for y in 0..<plane.height {
                    let (from, to) = (y * plane.width, y * outWidth)
                    blur(
                        UnsafeBufferPointer(rebasing: source[from..<from + plane.width]), step: 1,
                        into: UnsafeMutableBufferPointer(rebasing: out[to..<to + outWidth]))
                }
            }
        }
        return rows.withUnsafeBufferPointer { rows in
            Plane.filled(outHeight * outWidth) { blur(rows, step: outWidth, into: $0) }
        }
    }

    /// out[i] = sum over k of weight[|k - 5|] source[i + k step], k in 0...10.
    private static func blur(
        _ source: UnsafeBufferPointer<Double>, step: Int, into out: UnsafeMutableBufferPointer<Double>
    ) {
        precondition(source.count >= out.count + 2 * reach * step)
        guard let base = source.baseAddress else { return }
        let weights = Self.weights
        let (w0, w1, w2, w3, w4, w5) = (weights[0], weights[1], weights[2], weights[3], weights[4], weights[5])
        let middle = base + reach * step
        let (p1, p2, p3, p4, p5) = (
            middle + step, middle + 2 * step, middle + 3 * step, middle + 4 * step, middle + 5 * step
        )
        let (m1, m2, m3, m4, m5) = (middle - step, middle - 2 * step, middle - 3 * step, middle - 4 * step, base)
        var i = 0
        while i < out.count {
            let near = w0 * middle[i] + w1 * (p1[i] + m1[i]) + w2 * (p2[i] + m2[i])
            let far = w3 * (p3[i] + m3[i]) + w4 * (p4[i] + m4[i]) + w5 * (p5[i] + m5[i])
            out[i] = near + far
            i += 1
        }
    }
}
