/// The type of a tensor's elements as it is stored.
public enum ElementType: Sendable, Hashable, CustomStringConvertible {
    case float64, float32, float16, bfloat16
    case int64, int32, int16, int8, uint8, bool
    /// A safetensors dtype that is known by its name only, such as `F8_E4M3`; its elements can't be read.
    case other(String)

    /// A safetensors dtype.
    init(safetensors name: String) {
        self = Self.safetensorsNames[name] ?? .other(name)
    }

    /// A legacy storage class, `torch.FloatStorage` and its kin; `nil` for other names and for types that aren't read.
    init?(storageClass name: String) {
        guard let type = Self.storageClasses[name] else { return nil }
        self = type
    }

    /// Bytes per element; `nil` where the type is known by name only.
    public var size: Int? {
        switch self {
        case .float64, .int64: 8
        case .float32, .int32: 4
        case .float16, .bfloat16, .int16: 2
        case .int8, .uint8, .bool: 1
        case .other: nil
        }
    }

    public var description: String {
        switch self {
        case .float64: "float64"
        case .float32: "float32"
        case .float16: "float16"
        case .bfloat16: "bfloat16"
        case .int64: "int64"
        case .int32: "int32"
        case .int16: "int16"
        case .int8: "int8"
        case .uint8: "uint8"
        case .bool: "bool"
        case .other(let name): name
        }
    }

    private static let safetensorsNames: [String: ElementType] = [
        "F64": .float64, "F32": .float32, "F16": .float16, "BF16": .bfloat16, "I64": .int64, "I32": .int32,
        "I16": .int16, "I8": .int8, "U8": .uint8, "BOOL": .bool,
    ]

    private static let storageClasses: [String: ElementType] = [
        "torch.DoubleStorage": .float64, "torch.FloatStorage": .float32, "torch.HalfStorage": .float16,
        "torch.BFloat16Storage": .bfloat16, "torch.LongStorage": .int64, "torch.IntStorage": .int32,
        "torch.ShortStorage": .int16, "torch.CharStorage": .int8, "torch.ByteStorage": .uint8,
        "torch.BoolStorage": .bool,
    ]
}

/// A tensor's name, shape and stored type.
public struct TensorInfo: Sendable, Hashable {
    public let name: String
    /// Outermost dimension first; empty for a scalar.
    public let shape: [Int]
    public let type: ElementType

    /// Number of elements. Doesn't overflow: the reader has checked the product.
    public var count: Int { shape.contains(0) ? 0 : shape.reduce(1, *) }
}
