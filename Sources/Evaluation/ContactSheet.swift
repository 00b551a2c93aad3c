import TokenizerCore

/// Images above their reconstructions.
public enum ContactSheet {
    /// Rows of `columns` originals, each row above the row of their reconstructions, on white. Images are `gap` pixels
    /// apart and from the edge; between one row of pairs and the next there are three times as many.
    ///
    /// - Parameters:
    ///   - pairs: images that are all of one size, read row by row.
    ///   - columns: at least 1; a sheet with fewer pairs is as narrow as they are.
    /// - Returns: `nil` without pairs.
    public static func image(
        _ pairs: [(original: RGBImage, reconstruction: RGBImage)], columns: Int, gap: Int = 4
    ) -> RGBImage? {
        guard let size = pairs.first?.original else { return nil }
        precondition(columns > 0 && gap >= 0)
        precondition(
            pairs.allSatisfy { pair in
                [pair.original, pair.reconstruction].allSatisfy { $0.width == size.width && $0.height == size.height }
            })
        let columns = min(columns, pairs.count)
        let rows = (pairs.count - 1) / columns + 1
        let pairHeight = 2 * size.height + gap
        let width = columns * (size.width + gap) + gap
        let height = rows * pairHeight + (rows - 1) * 3 * gap + 2 * gap
        var pixels = [UInt8](repeating: 255, count: width * height * 3)
        for (index, pair) in pairs.enumerated() {
            let (row, column) = index.quotientAndRemainder(dividingBy: columns)
            let x = gap + column * (size.width + gap)
            let y = gap + row * (pairHeight + 3 * gap)
            place(pair.original, x, y, &pixels, width)
            place(pair.reconstruction, x, y + size.height + gap, &pixels, width)
        }
        return RGBImage(width: width, height: height, pixels: pixels)
    }

    private static func place(_ image: RGBImage, _ x: Int, _ y: Int, _ pixels: inout [UInt8], _ width: Int) {
        let count = image.width * 3
        for row in 0..<image.height {
            let start = ((y + row) * width + x) * 3
            pixels.replaceSubrange(start..<start + count, with: image.pixels[row * count..<(row + 1) * count])
        }
    }
}
