import Evaluation
import Testing
import TokenizerCore

private func plain(_ value: UInt8) -> RGBImage {
    RGBImage(width: 2, height: 1, pixels: [UInt8](repeating: value, count: 6))
}

/// The red samples, row by row; white is a space.
private func drawing(_ image: RGBImage) -> [String] {
    (0..<image.height).map { y in
        String(
            (0..<image.width).map { x in
                let value = image.pixels[(y * image.width + x) * 3]
                return value == 255 ? " " : Character("\(value)")
            })
    }
}

@Test func originalsAreAboveTheirReconstructions() throws {
    let pairs = (0..<3).map { (original: plain(2 * $0), reconstruction: plain(2 * $0 + 1)) }
    let sheet = try #require(ContactSheet.image(pairs, columns: 2, gap: 1))
    #expect(
        drawing(sheet) == [
            "       ",
            " 00 22 ",
            "       ",
            " 11 33 ",
            "       ",
            "       ",
            "       ",
            " 44    ",
            "       ",
            " 55    ",
            "       ",
        ])
}

@Test func aSheetIsAsNarrowAsItsPairs() throws {
    let pairs = (0..<3).map { (original: plain($0), reconstruction: plain($0)) }
    let sheet = try #require(ContactSheet.image(pairs, columns: 8, gap: 0))
    #expect(drawing(sheet) == ["001122", "001122"])
    #expect(ContactSheet.image([], columns: 8) == nil)
}
