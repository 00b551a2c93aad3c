/// How much a pickle may ask for.
struct PickleLimits {
    var opcodes = 10_000_000
    var stack = 1_000_000
    var memo = 1_000_000
}

/// Reads a pickle with the opcodes of `torch.load(weights_only=True)` (PyTorch, `_weights_only_unpickler.py`).
///
/// Nothing is ever called: a `REDUCE` of one of the few known globals is understood here, and of any other becomes an
/// opaque value, an error only where a tensor is asked for that depends on it.
struct PickleMachine {
    private(set) var graph: PickleGraph
    let path: String
    let limits: PickleLimits
    private var position = 0
    private var opcodeStart = 0
    /// The protocol that the pickle says it is of.
    private var version: UInt8 = 2
    private var stack: [PickleValue] = []
    private var marks: [Int] = []
    private var memo: [UInt32: PickleValue] = [:]

    init(bytes: UnsafeRawBufferPointer, path: String, limits: PickleLimits = PickleLimits()) {
        graph = PickleGraph(bytes: bytes)
        self.path = path
        self.limits = limits
    }

    /// Runs to `STOP` and returns the value there.
    mutating func run() throws(CheckpointError) -> PickleValue {
        for _ in 0..<limits.opcodes {
            opcodeStart = position
            let opcode: UInt8 = try number()
            if opcode == UInt8(ascii: ".") { return try pop("STOP") }
            if try !pushLiteral(opcode) { try apply(opcode) }
            guard stack.count + marks.count <= limits.stack else { throw defect(.stackLimit(limits.stack)) }
        }
        throw defect(.opcodeLimit(limits.opcodes))
    }

    func defect(_ defect: PickleDefect) -> CheckpointError { .pickle(path: path, offset: opcodeStart, defect) }

    // MARK: Opcodes that push a value of their own

    private mutating func pushLiteral(_ opcode: UInt8) throws(CheckpointError) -> Bool {
        switch opcode {
        case 0x4E: stack.append(.none)  // NONE
        case 0x88, 0x89: stack.append(.other)  // NEWTRUE, NEWFALSE
        case 0x4A: stack.append(.integer(Int64(try number(Int32.self))))  // BININT
        case 0x4B: stack.append(.integer(Int64(try number(UInt8.self))))  // BININT1
        case 0x4D: stack.append(.integer(Int64(try number(UInt16.self))))  // BININT2
        case 0x8A: try pushLong()  // LONG1
        case 0x47:  // BINFLOAT
            _ = try number(UInt64.self)
            stack.append(.other)
        case 0x58: try pushString(count: Int(try number(UInt32.self)))  // BINUNICODE
        case 0x55: try pushString(count: Int(try number(UInt8.self)))  // SHORT_BINSTRING
        case 0x5D: stack.append(.list)  // EMPTY_LIST
        case 0x8F: stack.append(.other)  // EMPTY_SET
        case 0x29: stack.append(.tuple(start: 0, count: 0))  // EMPTY_TUPLE
        case 0x7D: stack.append(newDictionary())  // EMPTY_DICT
        case 0x63: try pushGlobal()  // GLOBAL
        case 0x68: try recall(UInt32(try number(UInt8.self)))  // BINGET
        case 0x6A: try recall(try number(UInt32.self))  // LONG_BINGET
        default: return false
        }
        return true
    }

    private mutating func number<Number: FixedWidthInteger>(
        _ type: Number.Type = Number.self
    ) throws(CheckpointError) -> Number {
        guard let value = graph.bytes.littleEndian(Number.self, at: position) else { throw defect(.truncated) }
        position += MemoryLayout<Number>.size
        return value
    }

    private mutating func skip(_ count: Int) throws(CheckpointError) -> Int {
        let start = position
        guard graph.bytes.part(start, count) != nil else { throw defect(.truncated) }
        position += count
        return start
    }

    private mutating func pushString(count: Int) throws(CheckpointError) {
        let start = try skip(count)
        stack.append(.string(start: UInt32(start), count: UInt32(count)))
    }

    /// A two's complement number of any length, least significant byte first.
    private mutating func pushLong() throws(CheckpointError) {
        let count = Int(try number(UInt8.self))
        let start = try skip(count)
        guard count <= 8 else { return stack.append(.other) }
        var value: Int64 = 0
        for index in (0..<count).reversed() { value = value << 8 | Int64(graph.bytes[start + index]) }
        let unused = Int64(64 - 8 * count)
        stack.append(.integer(count == 0 ? 0 : (value << unused) >> unused))
    }

    private mutating func pushGlobal() throws(CheckpointError) {
        let module = try line()
        let name = try line()
        stack.append(.global(graph.addGlobal("\(module).\(name)")))
    }

    private mutating func line() throws(CheckpointError) -> String {
        let start = position
        while let byte = graph.bytes.littleEndian(UInt8.self, at: position), byte != 0x0A {
            guard position - start < 256 else { throw defect(.globalName) }
            position += 1
        }
        guard let text = graph.bytes.part(start, position - start) else { throw defect(.truncated) }
        _ = try skip(1)
        let plain = text.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        guard plain, !text.isEmpty else { throw defect(.globalName) }
        return String(decoding: text, as: UTF8.self)
    }

    private mutating func recall(_ index: UInt32) throws(CheckpointError) {
        guard let value = memo[index] else { throw defect(.memoMissing(index)) }
        stack.append(value)
    }

    private mutating func newDictionary() -> PickleValue {
        graph.dictionaries.append([])
        return .dictionary(Int32(graph.dictionaries.count - 1))
    }

    // MARK: Opcodes that work on the stack

    private mutating func apply(_ opcode: UInt8) throws(CheckpointError) {
        switch opcode {
        case 0x80: version = try number(UInt8.self)  // PROTO
        case 0x28: marks.append(stack.count)  // MARK
        case 0x71: try remember(UInt32(try number(UInt8.self)))  // BINPUT
        case 0x72: try remember(try number(UInt32.self))  // LONG_BINPUT
        case 0x85: try pushTuple(popLast(1, "TUPLE1"))
        case 0x86: try pushTuple(popLast(2, "TUPLE2"))
        case 0x87: try pushTuple(popLast(3, "TUPLE3"))
        case 0x74: try pushTuple(popMark("TUPLE"))
        case 0x61:  // APPEND
            _ = try pop("APPEND")
            try expectList("APPEND")
        case 0x65:  // APPENDS
            _ = try popMark("APPENDS")
            try expectList("APPENDS")
        case 0x73: try setItems(popLast(2, "SETITEM"), "SETITEM")
        case 0x75: try setItems(popMark("SETITEMS"), "SETITEMS")
        case 0x51: stack.append(try loadStorage(pop("BINPERSID")))
        case 0x52: try call("REDUCE")
        case 0x81: try call("NEWOBJ")
        case 0x62: try build()
        default: throw defect(version > 3 ? .version(version) : .opcode(opcode))
        }
    }

    /// The height below which the current mark forbids to pop.
    private var floor: Int { marks.last ?? 0 }

    private mutating func pop(_ opcode: String) throws(CheckpointError) -> PickleValue {
        guard stack.count > floor, let value = stack.popLast() else { throw defect(.emptyStack(opcode: opcode)) }
        return value
    }

    private func top(_ opcode: String) throws(CheckpointError) -> PickleValue {
        guard stack.count > floor, let value = stack.last else { throw defect(.emptyStack(opcode: opcode)) }
        return value
    }

    private mutating func popLast(_ count: Int, _ opcode: String) throws(CheckpointError) -> [PickleValue] {
        guard stack.count - floor >= count else { throw defect(.emptyStack(opcode: opcode)) }
        defer { stack.removeLast(count) }
        return Array(stack.suffix(count))
    }

    private mutating func popMark(_ opcode: String) throws(CheckpointError) -> [PickleValue] {
        guard let mark = marks.popLast() else { throw defect(.noMark(opcode: opcode)) }
        defer { stack.removeSubrange(mark...) }
        return Array(stack[mark...])
    }

    private mutating func pushTuple(_ items: [PickleValue]) {
        stack.append(.tuple(start: UInt32(graph.tupleItems.count), count: UInt32(items.count)))
        graph.tupleItems.append(contentsOf: items)
    }

    private mutating func remember(_ index: UInt32) throws(CheckpointError) {
        memo[index] = try top("PUT")
        guard memo.count <= limits.memo else { throw defect(.memoLimit(limits.memo)) }
    }

    /// Lists hold nothing that is asked for, so that what is appended is dropped.
    private func expectList(_ opcode: String) throws(CheckpointError) {
        switch try top(opcode) {
        case .list, .opaque: break
        default: throw defect(.target(opcode: opcode, expected: "a list"))
        }
    }

    private mutating func setItems(_ items: [PickleValue], _ opcode: String) throws(CheckpointError) {
        guard items.count.isMultiple(of: 2) else {
            throw defect(.target(opcode: opcode, expected: "as many keys as values"))
        }
        switch try top(opcode) {
        case .dictionary(let index):
            for pair in stride(from: 0, to: items.count, by: 2) {
                graph.dictionaries[Int(index)].append((items[pair], items[pair + 1]))
            }
        case .opaque: break
        default: throw defect(.target(opcode: opcode, expected: "a dictionary"))
        }
    }

    /// The attributes of a dictionary (a state dict's `_metadata`) are dropped; any other object becomes opaque.
    private mutating func build() throws(CheckpointError) {
        _ = try pop("BUILD")
        switch try pop("BUILD") {
        case let value where value.isDictionaryOrOpaque: stack.append(value)
        case .tensor: stack.append(.opaque(graph.addGlobal("torch.Tensor.__setstate__")))
        default: throw defect(.target(opcode: "BUILD", expected: "an object"))
        }
    }

    // MARK: Globals

    private mutating func call(_ opcode: String) throws(CheckpointError) {
        let arguments = try pop(opcode)
        let function = try pop(opcode)
        // A slice: copies of a long tuple, one for every call with it, would take hours.
        guard let items = graph.items(arguments) else {
            throw defect(.target(opcode: opcode, expected: "a tuple of arguments"))
        }
        switch function {
        case .opaque: stack.append(function)
        case .global(let index): stack.append(try call(index, items, isNew: opcode == "NEWOBJ"))
        default: throw defect(.target(opcode: opcode, expected: "a global"))
        }
    }

    private mutating func call(
        _ index: Int32, _ arguments: ArraySlice<PickleValue>, isNew: Bool
    ) throws(CheckpointError) -> PickleValue {
        let global = graph.globals[Int(index)]
        switch global.kind {
        case .orderedDict:
            return arguments.isEmpty ? newDictionary() : .opaque(index)
        case .size where arguments.count == 1:
            guard let sizes = arguments.first, case .tuple = sizes else {
                throw defect(.arguments(of: global.name))
            }
            return sizes
        case .rebuildParameter where !isNew && arguments.count == 3:
            switch arguments.first {
            case .some(let tensor) where tensor.isTensorOrOpaque: return tensor
            default: throw defect(.arguments(of: global.name))
            }
        case .rebuildTensor where !isNew:
            return try rebuildTensor(arguments)
        case .unknown:
            return .opaque(index)
        case .size, .rebuildParameter, .rebuildTensor, .dtype, .storage:
            throw defect(.arguments(of: global.name))
        }
    }

    /// `_rebuild_tensor_v2(storage, storage_offset, size, stride, requires_grad, backward_hooks, metadata=None)`.
    private mutating func rebuildTensor(
        _ slice: ArraySlice<PickleValue>
    ) throws(CheckpointError) -> PickleValue {
        let malformed = defect(.arguments(of: "torch._utils._rebuild_tensor_v2"))
        guard slice.count == 6 || slice.count == 7 else { throw malformed }
        let arguments = Array(slice)
        if case .opaque = arguments[0] { return arguments[0] }
        guard case .storage(let storage) = arguments[0], case .integer(let offset) = arguments[1],
            graph.items(arguments[2]) != nil, graph.items(arguments[3]) != nil
        else { throw malformed }
        // Metadata says that the numbers are to be conjugated or negated when they are read.
        if arguments.count == 7, case .none = arguments[6] {
        } else if arguments.count == 7 {
            return .opaque(graph.addGlobal("torch._utils._rebuild_tensor_v2 with metadata"))
        }
        graph.tensors.append(
            PickleGraph.Tensor(storage: storage, offset: offset, shape: arguments[2], strides: arguments[3]))
        return .tensor(Int32(graph.tensors.count - 1))
    }

    /// `("storage", class, key, location, element count)`.
    private mutating func loadStorage(_ identifier: PickleValue) throws(CheckpointError) -> PickleValue {
        guard let slice = graph.items(identifier), slice.count == 5 else { throw defect(.persistentID) }
        let items = Array(slice)
        guard case .string(_, let keyLength) = items[2], keyLength <= 256, graph.string(items[2]) != nil,
            graph.string(items[0]) == "storage", case .global(let index) = items[1], case .integer(let count) = items[4]
        else { throw defect(.persistentID) }
        guard case .storage(let type) = graph.globals[Int(index)].kind else { return .opaque(index) }
        graph.storages.append(PickleGraph.Storage(type: type, key: items[2], count: count))
        return .storage(Int32(graph.storages.count - 1))
    }
}

extension PickleValue {
    fileprivate var isDictionaryOrOpaque: Bool {
        switch self {
        case .dictionary, .opaque: true
        default: false
        }
    }

    fileprivate var isTensorOrOpaque: Bool {
        switch self {
        case .tensor, .opaque: true
        default: false
        }
    }
}
