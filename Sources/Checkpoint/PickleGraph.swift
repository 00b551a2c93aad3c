/// A value on the pickle machine's stack. Compound values are indices into the `PickleGraph`, so that a value costs
/// 16 bytes, copies are cheap, and cycles can't leak.
enum PickleValue: Sendable {
    case none
    case integer(Int64)
    /// Bytes of the pickle.
    case string(start: UInt32, count: UInt32)
    /// Items of `PickleGraph.tupleItems`.
    case tuple(start: UInt32, count: UInt32)
    case dictionary(Int32)
    case global(Int32)
    case storage(Int32)
    case tensor(Int32)
    /// Something that only the global of that index could make; never made.
    case opaque(Int32)
    case list
    /// Booleans, floats, sets, numbers over 64 bits: values that no tensor depends on.
    case other
}

/// What a pickle describes, as far as tensors are concerned.
struct PickleGraph {
    struct Global {
        enum Kind {
            case orderedDict, rebuildTensor, rebuildParameter, size, dtype
            case storage(ElementType)
            case unknown
        }

        let name: String
        let kind: Kind
    }

    struct Storage {
        let type: ElementType
        /// Text of at most 256 bytes, checked; left in the pickle, which may name it millions of times.
        let key: PickleValue
        let count: Int64
    }

    /// Arguments of `torch._utils._rebuild_tensor_v2`; counted in elements, not checked yet.
    struct Tensor {
        let storage: Int32
        let offset: Int64
        let shape: PickleValue
        let strides: PickleValue
    }

    let bytes: UnsafeRawBufferPointer
    var tupleItems: [PickleValue] = []
    var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
    private(set) var globals: [Global] = []
    private var globalIndices: [String: Int32] = [:]
    var storages: [Storage] = []
    var tensors: [Tensor] = []

    init(bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

    func string(_ value: PickleValue) -> String? {
        guard case .string(let start, let count) = value, let text = bytes.part(Int(start), Int(count)) else {
            return nil
        }
        return String(validating: text, as: UTF8.self)
    }

    func items(_ value: PickleValue) -> ArraySlice<PickleValue>? {
        guard case .tuple(let start, let count) = value else { return nil }
        return tupleItems[Int(start)..<Int(start) + Int(count)]
    }

    /// The index of a global of that name.
    mutating func addGlobal(_ name: String) -> Int32 {
        if let index = globalIndices[name] { return index }
        globalIndices[name] = Int32(globals.count)
        globals.append(Global(name: name, kind: Self.kind(of: name)))
        return Int32(globals.count - 1)
    }

    private static func kind(of name: String) -> Global.Kind {
        switch name {
        case "collections.OrderedDict": return .orderedDict
        case "torch._utils._rebuild_tensor_v2": return .rebuildTensor
        case "torch._utils._rebuild_parameter": return .rebuildParameter
        case "torch.Size": return .size
        default:
            if let type = ElementType(storageClass: name) { return .storage(type) }
            return dtypes.contains(name) ? .dtype : .unknown
        }
    }

    private static let dtypes: Set<String> = [
        "torch.float64", "torch.float32", "torch.float16", "torch.bfloat16", "torch.complex32", "torch.complex64",
        "torch.complex128", "torch.uint8", "torch.uint16", "torch.uint32", "torch.uint64", "torch.int8", "torch.int16",
        "torch.int32", "torch.int64", "torch.bool", "torch.float8_e4m3fn", "torch.float8_e5m2",
    ]
}
