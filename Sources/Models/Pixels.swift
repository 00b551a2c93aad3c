import Tensor
import TokenizerCore

/// Between 8-bit images and what networks take and give.
enum Pixels {
    /// 8-bit samples as floats: `sample / 255 * scale + offset`, (height, width, 3).
    static func plane(_ image: RGBImage, scale: Float, offset: Float, _ pool: ScratchPool) -> Plane {
        let plane = pool.plane(image.height, image.width, 3)
        let table = (0...255).map { Float($0) / 255 * scale + offset }
        image.pixels.withUnsafeBufferPointer { pixels in
            for index in 0..<plane.count { plane.data[index] = table[Int(pixels[index])] }
        }
        return plane
    }

    /// clamp(value * scale + offset, 0, 1) * 255, rounded half to even; what isn't a number becomes 0.
    static func image(_ plane: Plane, scale: Float, offset: Float) -> RGBImage {
        let pixels = [UInt8](unsafeUninitializedCapacity: plane.count) { buffer, filled in
            for index in 0..<plane.count {
                let value = min(max(plane.data[index] * scale + offset, 0), 1) * 255
                buffer[index] = value >= 0 ? UInt8(value.rounded(.toNearestOrEven)) : 0
            }
            filled = plane.count
        }
        return RGBImage(width: plane.width, height: plane.height, pixels: pixels)
    }
}
