import TokenizerCore

extension RGBImage {
    /// - Precondition: the square lies within the image.
    func square(x: Int, y: Int, side: Int) -> RGBImage {
        precondition(x >= 0 && y >= 0 && side > 0 && x <= width - side && y <= height - side)
        var cut: [UInt8] = []
        cut.reserveCapacity(side * side * 3)
        for row in y..<y + side {
            let start = (row * width + x) * 3
            cut.append(contentsOf: pixels[start..<start + side * 3])
        }
        return RGBImage(width: side, height: side, pixels: cut)
    }

    /// Left and right exchanged.
    func mirrored() -> RGBImage {
        let flipped = [UInt8](unsafeUninitializedCapacity: pixels.count) { out, filled in
            pixels.withUnsafeBufferPointer { pixels in
                for row in 0..<height {
                    for column in 0..<width {
                        let from = (row * width + column) * 3, to = (row * width + width - 1 - column) * 3
                        for channel in 0..<3 { out[to + channel] = pixels[from + channel] }
                    }
                }
            }
            filled = pixels.count
        }
        return RGBImage(width: width, height: height, pixels: flipped)
    }
}
