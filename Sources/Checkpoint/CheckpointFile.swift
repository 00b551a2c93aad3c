/// A mapping that one file has under several names of its tensors.
private final class SharedMapping: Sendable {
    let file: MappedFile

    init(_ file: consuming MappedFile) { self.file = file }
}

/// A file of named tensors, mapped into memory: safetensors or a torch archive, told apart by content.
///
/// Opening reads names and shapes only. What is wrong with a single torch tensor is thrown when that tensor is asked
/// for, so that an optimizer's state beside a model does no harm.
public final class CheckpointFile: Sendable {
    public let path: String
    /// Usable tensors by name. The names of nested torch dictionaries are joined by dots.
    public let tensors: [String: TensorInfo]
    /// The strings of a safetensors file's `__metadata__`; empty for a torch archive.
    public let metadata: [String: String]

    private let mapping: SharedMapping
    private let contents: TorchContents
    private let archive: ZipArchive?

    public init(path: String) throws(CheckpointError) {
        self.path = path
        mapping = SharedMapping(try MappedFile(path: path))
        let bytes = mapping.file.bytes
        if ZipArchive.recognises(bytes) {
            let archive = try ZipArchive(bytes: bytes, path: path)
            self.archive = archive
            contents = try TorchReader.read(archive, in: bytes)
            metadata = [:]
        } else if SafetensorsReader.recognises(bytes) {
            archive = nil
            let (tensors, metadata) = try SafetensorsReader(bytes: bytes, path: path).read()
            contents = TorchContents(tensors: tensors.mapValues { .success($0) })
            self.metadata = metadata
        } else {
            throw Self.unrecognised(bytes, path)
        }
        tensors = contents.tensors.compactMapValues { try? $0.get().info }
    }

    /// Of the file as it was opened.
    public var stamp: FileStamp { mapping.file.stamp }
    /// Of the file as it was opened.
    public var access: FileAccess { mapping.file.access }

    /// Names of all tensors, unusable ones included.
    public var names: some Collection<String> & Sendable { contents.tensors.keys }

    /// The class or function that would have to make what is there instead of a tensor, by the entry's name: empty
    /// where it is all of the file. None is ever called.
    public var globals: [String: String] { contents.opaque }

    /// The same file with other names for what is in it, which must differ from each other.
    ///
    /// - Parameter name: of an entry whose name was the given one.
    package func renamed(_ name: (String) -> String) throws(CheckpointError) -> CheckpointFile {
        try CheckpointFile(self, contents.renamed(name, path: path))
    }

    private init(_ other: CheckpointFile, _ contents: TorchContents) {
        path = other.path
        metadata = other.metadata
        mapping = other.mapping
        archive = other.archive
        self.contents = contents
        tensors = contents.tensors.compactMapValues { try? $0.get().info }
    }

    public func has(_ name: String) -> Bool { contents.tensors[name] != nil }

    /// Throws why the tensor can't be used, or that there is none.
    public func info(_ name: String) throws(CheckpointError) -> TensorInfo { try stored(name).info }

    /// Reads a floating-point tensor in row-major order, converted to float32 (exactly, or from float64 to nearest).
    ///
    /// - Parameter target: as many elements as the tensor has, else `wrongShape` is thrown.
    public func readFloats(
        _ name: String, into target: UnsafeMutableBufferPointer<Float>
    ) throws(CheckpointError) {
        let (info, source) = try source(name)
        guard target.count == info.count else {
            throw .wrongShape(path: path, tensor: name, found: info.shape, expected: [target.count])
        }
        _ = source.copy(from: 0, into: target)
        mapping.file.release(source.storage)
    }

    /// As `readFloats(_:into:)`, into a new array.
    public func floats(_ name: String) throws(CheckpointError) -> [Float] {
        let (info, source) = try source(name)
        return [Float](unsafeUninitializedCapacity: info.count) { buffer, count in
            _ = source.copy(from: 0, into: UnsafeMutableBufferPointer(rebasing: buffer[..<info.count]))
            count = info.count
            mapping.file.release(source.storage)
        }
    }

    /// Gives the tensor as little-endian float32 in row-major order, in pieces of at most 1 MiB.
    public func appendFloat32Bytes(
        of name: String, to sink: (UnsafeRawBufferPointer) -> Void
    ) throws(CheckpointError) {
        let (info, source) = try source(name)
        let pieceCount = 1 << 18
        var piece = [Float](repeating: 0, count: min(info.count, pieceCount))
        for first in stride(from: 0, to: info.count, by: pieceCount) {
            let count = min(pieceCount, info.count - first)
            piece.withUnsafeMutableBufferPointer { buffer in
                let part = UnsafeMutableBufferPointer(rebasing: buffer[..<count])
                _ = source.copy(from: first, into: part)
                sink(UnsafeRawBufferPointer(part))
            }
        }
        mapping.file.release(source.storage)
    }

    /// Lends the elements of a safetensors file's tensor as they lie in the file: in row-major order, little-endian,
    /// valid while this file lives. `nil` for a tensor of an archive, or one that isn't aligned to its elements' size.
    public func lent(_ name: String) throws(CheckpointError) -> UnsafeRawBufferPointer? {
        let tensor = try stored(name)
        guard archive == nil, case .bytes(let range) = tensor.place, let size = tensor.info.type.size,
            range.lowerBound.isMultiple(of: size), range.count == tensor.info.count * size
        else { return nil }
        return UnsafeRawBufferPointer(rebasing: mapping.file.bytes[range])
    }

    private func stored(_ name: String) throws(CheckpointError) -> StoredTensor {
        if let tensor = contents.tensors[name] { return try tensor.get() }
        if let global = contents.global(above: name) {
            throw .forbiddenGlobal(path: path, tensor: name, global: global)
        }
        throw .missingTensor(path: path, tensor: name, expected: nil)
    }

    private func source(_ name: String) throws(CheckpointError) -> (info: TensorInfo, source: TensorSource) {
        let tensor = try stored(name)
        let bytes: UnsafeRawBufferPointer
        switch tensor.place {
        case .bytes(let range): bytes = UnsafeRawBufferPointer(rebasing: mapping.file.bytes[range])
        case .member(let member):
            guard let archive else { throw .missingTensor(path: path, tensor: name, expected: nil) }
            bytes = try archive.contents(of: member, in: mapping.file.bytes)
        }
        switch tensor.info.type {
        case .float64, .float32, .float16, .bfloat16: break
        case let type: throw .wrongType(path: path, tensor: name, found: type)
        }
        let source = TensorSource(
            storage: bytes, type: tensor.info.type, shape: tensor.info.shape, strides: tensor.strides,
            offset: tensor.offset)
        return (tensor.info, source)
    }

    private static func unrecognised(_ bytes: UnsafeRawBufferPointer, _ path: String) -> CheckpointError {
        let isPickle = bytes.count > 1 && bytes[0] == 0x80 && (2...5).contains(bytes[1])
        let isTar = bytes.part(257, 5)?.elementsEqual("ustar".utf8) == true
        if isPickle || isTar { return .oldTorchFormat(path: path) }
        if bytes.starts(with: "version https://git-lfs".utf8) {
            return .unknownFormat(path: path, found: "a Git LFS pointer; fetch the file that it stands for")
        }
        let start = bytes.prefix(8).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }
        return .unknownFormat(path: path, found: "a file that begins with bytes \(start.joined(separator: " "))")
    }
}
