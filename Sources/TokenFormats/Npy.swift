/// NumPy's array file (NEP 1): versions 1.0 to 3.0 are read, 1.0 is written.
package enum Npy {
    /// The file for `shape` of little-endian values that are already bytes.
    ///
    /// - Parameter type: NumPy's name: "<u2", "<u4", "|u1", "<f4".
    package static func file(type: String, shape: [Int], values: [UInt8]) -> [UInt8] {
        let start = head(type: type, shape: shape)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(start.count + values.count)
        bytes += start
        bytes += values
        return bytes
    }

    /// The file of float32 values, made in one piece: a codebook may have gigabytes.
    package static func file(shape: [Int], values: [Float]) -> [UInt8] {
        let start = head(type: "<f4", shape: shape)
        return values.withUnsafeBytes { values in
            [UInt8](unsafeUninitializedCapacity: start.count + values.count) { buffer, count in
                let out = UnsafeMutableRawBufferPointer(buffer)
                out.copyBytes(from: start)
                // As they lie in memory: the processors that this runs on are little-endian.
                UnsafeMutableRawBufferPointer(rebasing: out[start.count...]).copyMemory(from: values)
                count = start.count + values.count
            }
        }
    }

    /// What a file begins with, before the values.
    private static func head(type: String, shape: [Int]) -> [UInt8] {
        let sizes = shape.map(String.init).joined(separator: ", ") + (shape.count == 1 ? "," : "")
        var header = "{'descr': '\(type)', 'fortran_order': False, 'shape': (\(sizes)), }"
        // The data begins at a multiple of 64.
        let used = 10 + header.utf8.count + 1
        header += String(repeating: " ", count: (64 - used % 64) % 64) + "\n"
        var bytes: [UInt8] = [0x93] + Array("NUMPY".utf8) + [1, 0]
        bytes += [UInt8(header.utf8.count & 255), UInt8(header.utf8.count >> 8 & 255)]
        return bytes + header.utf8
    }

    /// An array of integers, row-major.
    package struct Integers: Equatable {
        package let shape: [Int]
        package let values: [Int64]
    }

    /// Reads integers of any size, signed or not, in either byte order, as `numpy.load` does. Refused here are what
    /// tokens never are (floats, booleans, texts, objects, structures), several rows in Fortran's order, bytes behind
    /// the values, and what no version of NumPy writes in a header though Python would read it.
    ///
    /// - Parameters:
    ///   - limit: of values.
    ///   - check: looks at the shape before any value is read.
    package static func integers(
        _ bytes: [UInt8], limit: Int, check: ([Int]) throws(FormatError) -> Void = { _ in }
    ) throws(FormatError) -> Integers {
        let (text, dataStart) = try header(bytes)
        let header = try NpyHeader(text, version: bytes[6])
        let (type, shape) = (try elementType(header), header.shape)
        // Column-major rows would need turning over; a single row is the same either way.
        guard !header.isFortranOrder || shape.count < 2 || shape[0] <= 1 else {
            throw bad("fortran_order is True, expected False")
        }
        try check(shape)
        var count = 1
        for size in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: size)
            guard !overflow, product <= limit else { throw bad("shape \(shape) has more than \(limit) values") }
            count = product
        }
        let data = bytes[dataStart...]
        let (expected, overflow) = count.multipliedReportingOverflow(by: type.bytes)
        guard !overflow, data.count == expected else {
            throw bad("\(data.count) bytes of data, expected \(expected) for shape \(shape) of '\(header.descr)'")
        }
        return Integers(shape: shape, values: values(data, type: type, count: count))
    }

    /// Bytes of a header, as many as `numpy.load` takes.
    private static let mostHeader = 10_000

    static func bad(_ why: String) -> FormatError {
        FormatError(.invalid, "invalid_npy", "this is not an .npy file that is read here: \(why)")
    }

    private static func header(_ bytes: [UInt8]) throws(FormatError) -> (text: String, dataStart: Int) {
        guard bytes.starts(with: [0x93] + Array("NUMPY".utf8)), bytes.count >= 12 else {
            throw bad("it doesn't begin with \\x93NUMPY and a version")
        }
        let isLong = bytes[6] >= 2
        guard (1...3).contains(bytes[6]), bytes[7] == 0 else {
            throw bad("version \(bytes[6]).\(bytes[7]), expected 1.0, 2.0 or 3.0")
        }
        let start = isLong ? 12 : 10
        var length = Int(bytes[8]) | Int(bytes[9]) << 8
        if isLong { length |= Int(bytes[10]) << 16 | Int(bytes[11]) << 24 }
        guard length <= mostHeader else {
            throw bad("its header has \(length) bytes, expected at most \(mostHeader)")
        }
        guard length <= bytes.count - start else { throw bad("its header of \(length) bytes is cut off") }
        guard let text = String(validating: bytes[start..<(start + length)], as: UTF8.self) else {
            throw bad("its header is not text")
        }
        return (text, start + length)
    }

    private static func elementType(_ header: NpyHeader) throws(FormatError) -> NpyInteger {
        guard let type = NpyInteger(header.descr) else {
            throw bad("values of type '\(shortened(header.descr))', expected integers")
        }
        return type
    }

    /// - Parameters:
    ///   - data: `count` values of `type`, no more and no less.
    ///   - type: NumPy's name of an integer type: "<i4".
    package static func values(_ data: ArraySlice<UInt8>, type: String, count: Int) throws(FormatError) -> [Int64] {
        guard let type = NpyInteger(type) else { throw bad("values of type '\(shortened(type))', expected integers") }
        return values(data, type: type, count: count)
    }

    private static func values(_ data: ArraySlice<UInt8>, type: NpyInteger, count: Int) -> [Int64] {
        let size = type.bytes
        var values: [Int64] = []
        values.reserveCapacity(count)
        for index in 0..<count {
            let start = data.startIndex + index * size
            var bits: UInt64 = 0
            for byte in 0..<size {
                bits = bits << 8 | UInt64(data[type.isBig ? start + byte : start + size - 1 - byte])
            }
            if type.isSigned {
                let shift = 64 - 8 * size
                values.append(Int64(bitPattern: bits << UInt64(shift)) >> Int64(shift))
            } else {
                // Beyond any codebook in either case; `described` says that the largest stands for larger ones.
                values.append(Int64(clamping: bits))
            }
        }
        return values
    }
}
