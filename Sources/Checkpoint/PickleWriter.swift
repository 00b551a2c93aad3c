/// Writes a pickle of protocol 2 that `torch.load(weights_only=True)` and `PickleMachine` read: no memo, no marks but
/// for tuples of more than three items.
struct PickleWriter {
    private(set) var bytes: [UInt8] = [0x80, 2]
    /// The tensors' storages; the key of each is its position here.
    private(set) var storages: [NewTensor.Values] = []

    /// The whole pickle of a value.
    init(_ value: TorchValue) {
        append(value)
        bytes.append(UInt8(ascii: "."))
    }

    private mutating func append(_ value: TorchValue) {
        switch value {
        case .dictionary(let entries): append(entries)
        case .tensor(let shape, let values): append(shape, values)
        case .integer(let number): append(number)
        case .number(let number):
            bytes.append(0x47)  // BINFLOAT, the one big-endian opcode
            withUnsafeBytes(of: number.bitPattern.bigEndian) { bytes.append(contentsOf: $0) }
        case .string(let text): append(text)
        }
    }

    private mutating func append(_ entries: [(key: String, value: TorchValue)]) {
        bytes.append(0x7D)  // EMPTY_DICT
        var keys: Set<String> = []
        for (key, value) in entries {
            precondition(keys.insert(key).inserted, "key '\(key)' is there twice")
            append(key)
            append(value)
            bytes.append(0x73)  // SETITEM
        }
    }

    private mutating func append(_ number: Int) {
        if let byte = UInt8(exactly: number) {
            bytes += [0x4B, byte]  // BININT1
        } else if let word = Int32(exactly: number) {
            bytes.append(0x4A)  // BININT
            bytes.append(littleEndian: word)
        } else {
            bytes += [0x8A, 8]  // LONG1 of eight bytes
            bytes.append(littleEndian: Int64(number))
        }
    }

    private mutating func append(_ text: String) {
        bytes.append(0x58)  // BINUNICODE
        bytes.append(littleEndian: UInt32(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }

    private mutating func append(global module: String, _ name: String) {
        bytes.append(0x63)  // GLOBAL
        bytes.append(contentsOf: "\(module)\n\(name)\n".utf8)
    }

    private mutating func appendTuple(_ numbers: [Int]) {
        if !numbers.isEmpty { bytes.append(0x28) }  // MARK
        for number in numbers { append(number) }
        bytes.append(numbers.isEmpty ? 0x29 : 0x74)  // EMPTY_TUPLE, TUPLE
    }

    /// `_rebuild_tensor_v2(storage, storage_offset, size, stride, requires_grad, backward_hooks)`.
    private mutating func append(_ shape: [Int], _ values: NewTensor.Values) {
        values.requireCount(shape, of: "data/\(storages.count)")
        append(global: "torch._utils", "_rebuild_tensor_v2")
        bytes.append(0x28)  // MARK
        appendStorage(values)
        append(0)
        appendTuple(shape)
        appendTuple(TensorSource.contiguousStrides(shape))
        bytes.append(0x89)  // NEWFALSE
        append(global: "collections", "OrderedDict")
        bytes += [0x29, 0x52]  // EMPTY_TUPLE, REDUCE
        bytes += [0x74, 0x52]  // TUPLE, REDUCE
    }

    /// The persistent identifier `("storage", class, key, location, element count)`.
    private mutating func appendStorage(_ values: NewTensor.Values) {
        let storageClass =
            switch values {
            case .float32: "FloatStorage"
            case .int32: "IntStorage"
            case .int64: "LongStorage"
            }
        bytes.append(0x28)  // MARK
        append("storage")
        append(global: "torch", storageClass)
        append("\(storages.count)")
        append("cpu")
        append(values.count)
        bytes += [0x74, 0x51]  // TUPLE, BINPERSID
        storages.append(values)
    }
}
