import TokenizerCore

/// One channel of an image: samples, row-major (height, width).
struct Plane {
    let width: Int
    let height: Int
    let samples: [Double]

    /// Samples divided by 255.
    init(_ image: RGBImage, channel: Int) {
        width = image.width
        height = image.height
        let count = width * height
        samples = image.pixels.withUnsafeBufferPointer { pixels in
            Self.filled(count) { out in
                var i = 0
                while i < count {
                    out[i] = Double(pixels[3 * i + channel]) / 255
                    i += 1
                }
            }
        }
    }

    init(width: Int, height: Int, samples: [Double]) {
        precondition(samples.count == width * height)
        self.width = width
        self.height = height
        self.samples = samples
    }

    /// Means of 2 x 2 samples; an odd last row or column is left out.
    func halved() -> Plane {
        let (outWidth, outHeight) = (width / 2, height / 2)
        let values = samples.withUnsafeBufferPointer { source in
            Self.filled(outWidth * outHeight) { out in
                var y = 0
                while y < outHeight {
                    var (above, below) = (2 * y * width, (2 * y + 1) * width)
                    var i = y * outWidth
                    let end = i + outWidth
                    while i < end {
                        let sum = (source[above] + source[above + 1]) + (source[below] + source[below + 1])
                        out[i] = sum / 4
                        above += 2
                        below += 2
                        i += 1
                    }
                    y += 1
                }
            }
        }
        return Plane(width: outWidth, height: outHeight, samples: values)
    }

    /// With `reach` more samples at every side, mirrored about the outermost ones, which aren't repeated.
    ///
    /// - Precondition: both sides are longer than `reach`.
    func reflected(_ reach: Int) -> Plane {
        precondition(min(width, height) > reach)
        let (outWidth, outHeight) = (width + 2 * reach, height + 2 * reach)
        let columns = (0..<outWidth).map { Self.mirrored($0 - reach, width) }
        let values = samples.withUnsafeBufferPointer { source in
            columns.withUnsafeBufferPointer { columns in
                Self.filled(outWidth * outHeight) { out in
                    var y = 0
                    while y < outHeight {
                        let row = Self.mirrored(y - reach, height) * width
                        var x = 0
                        while x < outWidth {
                            out[y * outWidth + x] = source[row + columns[x]]
                            x += 1
                        }
                        y += 1
                    }
                }
            }
        }
        return Plane(width: outWidth, height: outHeight, samples: values)
    }

    /// Sample by sample; planes of one size.
    static func * (left: Plane, right: Plane) -> Plane {
        precondition(left.width == right.width && left.height == right.height)
        let values = left.samples.withUnsafeBufferPointer { a in
            right.samples.withUnsafeBufferPointer { b in
                filled(a.count) { out in
                    var i = 0
                    while i < out.count {
                        out[i] = a[i] * b[i]
                        i += 1
                    }
                }
            }
        }
        return Plane(width: left.width, height: left.height, samples: values)
    }

    /// An array of `count` values, all of which `body` sets.
    static func filled(_ count: Int, _ body: (UnsafeMutableBufferPointer<Double>) -> Void) -> [Double] {
        [Double](unsafeUninitializedCapacity: count) { buffer, initialized in
            body(UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
            initialized = count
        }
    }

    private static func mirrored(_ index: Int, _ count: Int) -> Int {
        index < 0 ? -index : index < count ? index : 2 * (count - 1) - index
    }
}
