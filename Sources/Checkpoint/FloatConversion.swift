/// Exact float16 -> float32 (IEEE 754), subnormals, infinities and NaN payloads included.
///
/// Integer arithmetic without branches, so that the loop around it vectorises on any x86-64.
@inline(__always)
func float32(half bits: UInt16) -> Float {
    let magnitude = UInt32(bits & 0x7FFF) << 13
    let exponent = magnitude & 0x0F80_0000
    let rebased = magnitude &+ (112 << 23)
    let special = rebased &+ (112 << 23)
    // A subnormal gets an implicit one, which the subtraction of the smallest normal half takes away again.
    let subnormal = (Float(bitPattern: rebased &+ (1 << 23)) - Float(bitPattern: 113 << 23)).bitPattern
    let result = exponent == 0x0F80_0000 ? special : exponent == 0 ? subnormal : rebased
    return Float(bitPattern: result | UInt32(bits & 0x8000) << 16)
}

/// Exact bfloat16 -> float32.
@inline(__always)
func float32(brain bits: UInt16) -> Float { Float(bitPattern: UInt32(bits) << 16) }

/// A tensor's elements in its storage: element (i, j, …) lies at `offset + i * strides[0] + j * strides[1] + …`.
///
/// Invariant, checked by the code that makes one: all of these lie in `storage`; offset and strides count elements.
struct TensorSource {
    let storage: UnsafeRawBufferPointer
    let type: ElementType
    let shape: [Int]
    let strides: [Int]
    let offset: Int

    var count: Int { shape.contains(0) ? 0 : shape.reduce(1, *) }

    static func contiguousStrides(_ shape: [Int]) -> [Int] {
        var strides = [Int](repeating: 1, count: shape.count)
        for axis in shape.indices.dropLast().reversed() { strides[axis] = strides[axis + 1] &* shape[axis + 1] }
        return strides
    }

    var isContiguous: Bool {
        zip(zip(shape, strides), Self.contiguousStrides(shape)).allSatisfy { $0.0 == 1 || $0.1 == $1 } || count == 0
    }

    /// Converts elements `first..<first + target.count` in row-major order.
    ///
    /// - Returns: `false`, with nothing written, where the type isn't a floating-point one.
    func copy(from first: Int, into target: UnsafeMutableBufferPointer<Float>) -> Bool {
        switch type {
        case .float32:
            convert(from: first, into: target, UInt32.self) { Float(bitPattern: $0) }
        case .float16:
            convert(from: first, into: target, UInt16.self) { float32(half: $0) }
        case .bfloat16:
            convert(from: first, into: target, UInt16.self) { float32(brain: $0) }
        case .float64:
            convert(from: first, into: target, UInt64.self) { Float(Double(bitPattern: $0)) }
        case .int64, .int32, .int16, .int8, .uint8, .bool, .other:
            return false
        }
        return true
    }

    @inline(__always)
    private func convert<Bits: FixedWidthInteger>(
        from first: Int, into target: UnsafeMutableBufferPointer<Float>, _ bits: Bits.Type, _ number: (Bits) -> Float
    ) {
        guard let output = target.baseAddress, let base = storage.baseAddress, !target.isEmpty else { return }
        let size = MemoryLayout<Bits>.size
        guard let width = shape.last, let step = strides.last, !isContiguous else {
            let input = base + (offset + first) * size
            for index in 0..<target.count {
                output[index] = number(
                    Bits(littleEndian: input.loadUnaligned(fromByteOffset: index * size, as: Bits.self)))
            }
            return
        }
        var written = 0
        while written < target.count {
            let column = (first + written) % width
            let run = min(width - column, target.count - written)
            let input = base + (rowStart((first + written) / width) + column * step) * size
            for index in 0..<run {
                let element = input.loadUnaligned(fromByteOffset: index * step * size, as: Bits.self)
                output[written + index] = number(Bits(littleEndian: element))
            }
            written += run
        }
    }

    /// Where the row of that number begins, in elements; rows run over all axes but the last.
    private func rowStart(_ row: Int) -> Int {
        var position = offset
        var rest = row
        for axis in shape.indices.dropLast().reversed() {
            position += rest % shape[axis] * strides[axis]
            rest /= shape[axis]
        }
        return position
    }
}
