import TokenizerCore

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

// Deterministic weights and images, so that a test needs no checkpoint file. Every value is a function of
// (seed, tensor name, flat index):
//
//     key  = fnv1a64(name) XOR splitmix64(seed)
//     u[i] = splitmix64(key + i) >> 40             24 bits
//     x[i] = u[i] / 2^24 * 2 - 1                   exact in float32, in [-1, 1)

/// One step of SplitMix64 from state `n` (Steele, Lea, Flood 2014).
@inline(__always)
public func splitmix64(_ n: UInt64) -> UInt64 {
    var z = n &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z &>> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z &>> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z &>> 31)
}

/// 64-bit FNV-1a of bytes.
public func fnv1a64(_ bytes: [UInt8]) -> UInt64 {
    bytes.withUnsafeBufferPointer { bytes in
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        var i = 0
        while i < bytes.count {
            hash = (hash ^ UInt64(truncatingIfNeeded: bytes[i])) &* 0x100_0000_01B3
            i &+= 1
        }
        return hash
    }
}

/// 64-bit FNV-1a of the text's UTF-8.
public func fnv1a64(_ text: String) -> UInt64 { fnv1a64(Array(text.utf8)) }

/// Writes values `start ..< start + out.count` of tensor `name`, each `centre + spread * x` in float32.
public func fill(
    _ out: UnsafeMutableBufferPointer<Float>, name: String, seed: UInt64 = 0, start: Int = 0, centre: Float = 0,
    spread: Float = 1
) {
    guard let base = out.baseAddress else { return }
    let first = (fnv1a64(name) ^ splitmix64(seed)) &+ UInt64(start)
    let count = out.count
    var i = 0
    while i < count {
        let bits = Int32(truncatingIfNeeded: splitmix64(first &+ UInt64(truncatingIfNeeded: i)) &>> 40)
        let x = Float(bits) * 0x1p-23 - 1
        base[i] = centre + spread * x
        i &+= 1
    }
}

/// Values `start ..< start + count` of tensor `name`, in [-1, 1).
public func uniform(_ name: String, count: Int, seed: UInt64 = 0, start: Int = 0) -> [Float] {
    [Float](unsafeUninitializedCapacity: count) { out, initialized in
        fill(UnsafeMutableBufferPointer(rebasing: out[..<count]), name: name, seed: seed, start: start)
        initialized = count
    }
}

/// The centre and spread of a tensor's values, by its name and shape.
public func scaleOf(_ name: String, shape: [Int]) -> (centre: Float, spread: Float) {
    let leaf = name.split(separator: ".", omittingEmptySubsequences: false).last.map(String.init) ?? name
    switch leaf {
    case "std": return (1, 0.5)
    case "mean": return (0, 0.3)
    case "bias", "in_proj_bias": return (0, 0.1)
    case "weight" where shape.count == 1: return (1, 0.2)
    case "embedding", "embeddings": return (0, 1)
    default: break
    }
    if name.contains("embedding") || name.contains("latent_tokens") || name.contains("pos_embed") { return (0, 1) }
    let fanIn = shape.dropFirst().reduce(1, *)
    return (0, Float(1.7) / Float(fanIn).squareRoot())
}

/// Tensor `name` of the given shape, row-major: `centre + spread * x`.
public func tensor(_ name: String, shape: [Int], seed: UInt64 = 0) -> [Float] {
    let (centre, spread) = scaleOf(name, shape: shape)
    let count = shape.reduce(1, *)
    return [Float](unsafeUninitializedCapacity: count) { out, initialized in
        fill(
            UnsafeMutableBufferPointer(rebasing: out[..<count]), name: name, seed: seed, centre: centre,
            spread: spread)
        initialized = count
    }
}

/// Smooth colour fields, an edge and grain: no photograph, but with structure at several scales.
public func image(_ name: String, height: Int, width: Int, seed: UInt64 = 0) -> RGBImage {
    let c = uniform("image." + name, count: 64, seed: seed).map(Double.init)
    let grain = uniform("grain." + name, count: height * width * 3, seed: seed)
    var pixels = [UInt8](repeating: 0, count: height * width * 3)
    pixels.withUnsafeMutableBufferPointer { pixels in
        for k in 0..<3 {
            let field = Field(c[(8 * k)..<(8 * k + 8)])
            var at = k
            for row in 0..<height {
                let y = Double(row) / Double(height)
                for column in 0..<width {
                    let value = field(Double(column) / Double(width), y) + Double(6 * grain[at])
                    pixels[at] = UInt8(min(max(value.rounded(.toNearestOrEven), 0), 255))
                    at &+= 3
                }
            }
        }
    }
    return RGBImage(width: width, height: height, pixels: pixels)
}

/// The smooth part of one channel of a recipe image, over x and y in [0, 1).
private struct Field {
    let level: (base: Double, x: Double, y: Double)
    let ripple: (xy: Double, x: Double)
    let centre: (x: Double, y: Double)

    init(_ c: ArraySlice<Double>) {
        let i = c.startIndex
        level = (c[i], c[i + 1], c[i + 2])
        ripple = (c[i + 3], c[i + 4])
        centre = (0.3 * c[i + 5], 0.3 * c[i + 6])
    }

    func callAsFunction(_ x: Double, _ y: Double) -> Double {
        let wave = level.base + level.x * x + level.y * y
        var value = 127.5 + 60 * sin(6 * wave * 3)
        value += 40 * sin(40 * (ripple.xy * x * y + ripple.x * x))
        let (dx, dy) = (x - 0.5 - centre.x, y - 0.5 - centre.y)
        return dx * dx + dy * dy < 0.06 ? value + 50 : value
    }
}
