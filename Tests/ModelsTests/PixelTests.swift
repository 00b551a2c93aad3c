import Recipe
import Tensor
import Testing
import TokenizerCore

@testable import Models

/// Between 8-bit samples and numbers, against PyTorch (`make_pixels.py`).
struct PixelTests {
    @Test(arguments: [("unit", Float(1), Float(0)), ("signed", 0.5, 0.5)])
    func samplesAreClampedAndRoundedHalfToEven(name: String, scale: Float, offset: Float) throws {
        let golden = try Golden("pixels", in: Golden.fixtures)
        // Three at a time, the last filled up with something that is no number, which becomes 0.
        var x = try golden.floats("x")
        let expected = try golden.ints(name).map { UInt8($0) }
        while !x.count.isMultiple(of: 3) { x.append(.nan) }
        let picture = Pixels.image(ScratchPool().plane(1, x.count / 3, 3, x), scale: scale, offset: offset)
        for (index, sample) in expected.enumerated() {
            #expect(picture.pixels[index] == sample, "\(x[index])")
        }
        #expect(picture.pixels[expected.count...].allSatisfy { $0 == 0 })
    }

    @Test(arguments: [("zero_to_one", Float(1), Float(0)), ("minus_one_to_one", 2, -1)])
    func numbersOfSamples(name: String, scale: Float, offset: Float) throws {
        let pixels = (0..<768).map { UInt8($0 / 3) }
        let plane = Pixels.plane(
            RGBImage(width: 256, height: 1, pixels: pixels), scale: scale, offset: offset, ScratchPool())
        let expected = try Golden("pixels", in: Golden.fixtures).floats(name)
        let error = plane.values.enumerated().map { abs($1 - expected[$0 / 3]) }.max()
        #expect((error ?? .infinity) <= 0x1p-23)
    }
}
