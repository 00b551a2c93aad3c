// NaN and infinity in weights go through every layer without an error, and come out as token 0 for every image.

extension CheckpointFile {
    /// As `readFloats(_:into:)`.
    ///
    /// - Throws: `notFinite` as well, where a number is infinite or NaN, or becomes infinite as float32.
    public func readFiniteFloats(
        _ name: String, into target: UnsafeMutableBufferPointer<Float>
    ) throws(CheckpointError) {
        try readFloats(name, into: target)
        try requireFinite(UnsafeBufferPointer(target), in: name)
    }

    /// As `readFiniteFloats(_:into:)`, into a new array.
    public func finiteFloats(_ name: String) throws(CheckpointError) -> [Float] {
        let values = try floats(name)
        try values.withUnsafeBufferPointer { (values) throws(CheckpointError) in try requireFinite(values, in: name) }
        return values
    }

    private func requireFinite(_ values: UnsafeBufferPointer<Float>, in name: String) throws(CheckpointError) {
        guard !values.areFinite, let index = values.firstIndex(where: { !$0.isFinite }) else { return }
        let place = Self.place(of: index, in: try info(name).shape)
        throw .notFinite(path: path, tensor: name, place: place, found: "\(values[index])")
    }

    /// Of a row-major tensor's element, by axis.
    private static func place(of index: Int, in shape: [Int]) -> [Int] {
        var rest = index
        let reversed = shape.reversed().map { size in
            defer { rest /= size }
            return rest % size
        }
        return reversed.reversed()
    }
}

extension UnsafeBufferPointer<Float> {
    /// Without branches, so that the loop vectorises on any x86-64: adding one to the exponent reaches the sign's bit
    /// only where the exponent is that of infinity and NaN.
    fileprivate var areFinite: Bool {
        var carries: UInt32 = 0
        var index = 0
        while index < count {
            carries |= (self[index].bitPattern & 0x7FFF_FFFF) &+ 0x0080_0000
            index &+= 1
        }
        return carries & 0x8000_0000 == 0
    }
}
