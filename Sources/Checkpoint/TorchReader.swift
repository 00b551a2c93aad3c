/// Tensors of a torch archive by their flat names, and what stands where tensors could have been.
struct TorchContents {
    /// A tensor, or why it can't be used; thrown when it is asked for.
    var tensors: [String: Result<StoredTensor, CheckpointError>] = [:]
    /// The global that would have to make what is at that name.
    var opaque: [String: String] = [:]

    /// The global that would have to make what is at that name or at one of the dictionaries around it.
    func global(above name: String) -> String? {
        var prefix = Substring(name)
        while true {
            if let global = opaque[String(prefix)] { return global }
            guard let dot = prefix.lastIndex(of: ".") else { return opaque[""] }
            prefix = prefix[..<dot]
        }
    }

    /// The same under other names.
    func renamed(_ name: (String) -> String, path: String) throws(CheckpointError) -> TorchContents {
        var renamed = TorchContents()
        for (old, tensor) in tensors {
            let new = name(old)
            let named = tensor.map { $0.named(new) }
            guard renamed.tensors.updateValue(named, forKey: new) == nil else {
                throw .duplicateTensor(path: path, tensor: new)
            }
        }
        for (old, global) in opaque { renamed.opaque[name(old)] = global }
        return renamed
    }
}

/// Reads the structure of an archive that `torch.save` wrote (PyTorch 1.6 and later).
///
/// Members: `ROOT/data.pkl`, `ROOT/data/KEY` for each storage, `ROOT/byteorder`. Nested dictionaries become names
/// joined by dots; entries under keys that aren't strings, as in an optimizer's state, aren't looked into.
struct TorchReader {
    static let pickleLimit = 256 << 20
    /// In bytes: the name of every tensor's record begins with the root.
    private static let rootLimit = 256
    private static let nameLimit = 1 << 20
    private static let nameBytesLimit = 64 << 20
    private static let depthLimit = 32

    private let path: String
    private let root: String
    private let archive: ZipArchive
    private let graph: PickleGraph
    private let top: PickleValue
    private var contents = TorchContents()
    private var visited = 0
    private var nameBytes = 0

    static func read(_ archive: ZipArchive, in bytes: UnsafeRawBufferPointer) throws(CheckpointError) -> TorchContents {
        var reader = try TorchReader(archive, in: bytes)
        try reader.flatten(reader.top, name: "", depth: 0)
        return reader.contents
    }

    private init(_ archive: ZipArchive, in bytes: UnsafeRawBufferPointer) throws(CheckpointError) {
        path = archive.path
        self.archive = archive
        let pickles = archive.members.values.filter { $0.name == "data.pkl" || $0.name.hasSuffix("/data.pkl") }
        guard let member = pickles.first else { throw .archive(path: path, .noPickle) }
        guard pickles.count == 1 else { throw .archive(path: path, .severalPickles) }
        guard member.size <= Self.pickleLimit else {
            throw .archive(path: path, .pickleTooLong(found: member.size, limit: Self.pickleLimit))
        }
        root = String(member.name.dropLast("data.pkl".count))
        guard root.utf8.count <= Self.rootLimit else {
            throw .archive(path: path, .rootTooLong(found: root.utf8.count, limit: Self.rootLimit))
        }
        if let order = archive.members[root + "byteorder"] {
            let text = String(decoding: try archive.contents(of: order, in: bytes).prefix(16), as: UTF8.self)
            if text == "big" { throw .bigEndian(path: path) }
            guard text == "little" else { throw .archive(path: path, .byteOrder(found: text)) }
        }
        var machine = PickleMachine(bytes: try archive.contents(of: member, in: bytes), path: path)
        top = try machine.run()
        graph = machine.graph
    }

    private mutating func flatten(_ value: PickleValue, name: String, depth: Int) throws(CheckpointError) {
        switch value {
        case .dictionary(let index):
            guard depth < Self.depthLimit else {
                throw .tooManyNames(path: path, limit: "\(Self.depthLimit) levels")
            }
            for (key, item) in graph.dictionaries[Int(index)] {
                visited += 1
                guard visited <= Self.nameLimit else {
                    throw .tooManyNames(path: path, limit: "\(Self.nameLimit) entries")
                }
                guard case .string(_, let count) = key else { continue }
                nameBytes += name.utf8.count + Int(count)
                guard nameBytes <= Self.nameBytesLimit else {
                    throw .tooManyNames(path: path, limit: "\(Self.nameBytesLimit) bytes of names")
                }
                guard let text = graph.string(key) else { continue }
                try flatten(item, name: name.isEmpty ? text : "\(name).\(text)", depth: depth + 1)
            }
        case .tensor(let index):
            let tensor = resolve(graph.tensors[Int(index)], name: name)
            guard contents.tensors.updateValue(tensor, forKey: name) == nil else {
                throw .duplicateTensor(path: path, tensor: name)
            }
        case .opaque(let index), .global(let index):
            contents.opaque[name] = graph.globals[Int(index)].name
        case .none, .integer, .string, .tuple, .storage, .list, .other:
            break
        }
    }

    private func resolve(_ tensor: PickleGraph.Tensor, name: String) -> Result<StoredTensor, CheckpointError> {
        let storage = graph.storages[Int(tensor.storage)]
        let record = "\(root)data/\(graph.string(storage.key) ?? "")"
        func failure(_ defect: StorageDefect) -> Result<StoredTensor, CheckpointError> {
            .failure(.storage(path: path, tensor: name, defect))
        }
        guard let member = archive.members[record] else { return failure(.noRecord(record)) }
        let (size, overflow) = storage.count.multipliedReportingOverflow(by: Int64(storage.type.size ?? 0))
        guard !overflow, storage.count >= 0, size == member.size else {
            return failure(.recordSize(found: member.size, elements: storage.count, type: storage.type))
        }
        guard let shape = sizes(tensor.shape), let strides = sizes(tensor.strides), shape.count == strides.count,
            let offset = Int(exactly: tensor.offset), offset >= 0
        else { return failure(.layout) }
        guard let elements = StoredTensor.checkedProduct(shape), elements <= storage.count else {
            return failure(.overlapping(elements: storage.count))
        }
        if elements > 0 {
            guard let last = Self.lastElement(shape, strides, offset), last < storage.count else {
                return failure(.outOfBounds(elements: storage.count))
            }
        }
        let info = TensorInfo(name: name, shape: shape, type: storage.type)
        return .success(StoredTensor(info: info, strides: strides, offset: offset, place: .member(member)))
    }

    private func sizes(_ value: PickleValue) -> [Int]? {
        guard let items = graph.items(value), items.count <= StoredTensor.maxRank else { return nil }
        var sizes: [Int] = []
        for item in items {
            guard case .integer(let size) = item, size >= 0 else { return nil }
            sizes.append(Int(size))
        }
        return sizes
    }

    /// `offset + sum((shape - 1) * strides)`; `nil` where it doesn't fit. No dimension is 0.
    private static func lastElement(_ shape: [Int], _ strides: [Int], _ offset: Int) -> Int? {
        var last = offset
        for (dimension, stride) in zip(shape, strides) {
            let (span, tooWide) = (dimension - 1).multipliedReportingOverflow(by: stride)
            let (sum, tooFar) = last.addingReportingOverflow(span)
            if tooWide || tooFar { return nil }
            last = sum
        }
        return last
    }
}
