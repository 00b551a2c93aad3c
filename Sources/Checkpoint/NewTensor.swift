#if _endian(big)
    #error("tensors are written in the order of bytes that they have in memory; files need little-endian")
#endif

/// A tensor to be written to a file, contiguous in row-major order.
public struct NewTensor: Sendable {
    public enum Values: Sendable, Equatable {
        case float32([Float])
        case int32([Int32])
        case int64([Int64])
    }

    public let name: String
    /// Outermost dimension first; empty for a scalar.
    public let shape: [Int]
    public let values: Values

    /// - Precondition: as many values as the product of the shape, one for an empty shape.
    public init(name: String, shape: [Int], values: Values) {
        values.requireCount(shape, of: name)
        self.name = name
        self.shape = shape
        self.values = values
    }

    public init(name: String, shape: [Int], _ floats: [Float]) {
        self.init(name: name, shape: shape, values: .float32(floats))
    }
}

extension NewTensor.Values {
    public var count: Int {
        switch self {
        case .float32(let values): values.count
        case .int32(let values): values.count
        case .int64(let values): values.count
        }
    }

    var type: ElementType {
        switch self {
        case .float32: .float32
        case .int32: .int32
        case .int64: .int64
        }
    }

    var byteCount: Int {
        switch self {
        case .float32, .int32: count * 4
        case .int64: count * 8
        }
    }

    func requireCount(_ shape: [Int], of name: String) {
        let isShape = shape.allSatisfy { $0 >= 0 }
        precondition(
            isShape && StoredTensor.checkedProduct(shape) == count,
            "tensor '\(name)' of shape \(shape) has \(count) values")
    }

    /// The elements in little-endian order, without a copy.
    func withBytes(
        _ body: (UnsafeRawBufferPointer) throws(FileWriteError) -> Void
    ) throws(FileWriteError) {
        switch self {
        case .float32(let values): try Self.lend(values, to: body)
        case .int32(let values): try Self.lend(values, to: body)
        case .int64(let values): try Self.lend(values, to: body)
        }
    }

    private static func lend(
        _ values: [some BitwiseCopyable], to body: (UnsafeRawBufferPointer) throws(FileWriteError) -> Void
    ) throws(FileWriteError) {
        try values.withUnsafeBufferPointer { (values) throws(FileWriteError) in
            try body(UnsafeRawBufferPointer(values))
        }
    }
}

extension [UInt8] {
    mutating func append(littleEndian number: some FixedWidthInteger) {
        Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
    }
}
