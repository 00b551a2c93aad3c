import Synchronization

/// A path into a checkpoint through which a model takes its tensors, names and shapes checked together.
///
/// `scope("decoder").take("conv_in.weight", shape: …)` takes `decoder.conv_in.weight`. All scopes of one file made from
/// each other share the record of what has been taken.
public struct TensorScope: Sendable {
    public let file: CheckpointFile
    /// Of full names; empty, or with a dot at its end.
    public let prefix: String
    private let used: UsedNames

    public init(file: CheckpointFile, prefix: String = "") {
        self.init(file: file, path: Self.closed(prefix), used: UsedNames())
    }

    private init(file: CheckpointFile, path: String, used: UsedNames) {
        self.file = file
        prefix = path
        self.used = used
    }

    public func scope(_ path: String) -> TensorScope {
        TensorScope(file: file, path: prefix + Self.closed(path), used: used)
    }

    public func has(_ name: String) -> Bool { file.has(prefix + name) }

    public func shape(_ name: String) throws(CheckpointError) -> [Int] { try file.info(prefix + name).shape }

    /// Checks a tensor and records it as used, without reading it; returns its full name.
    @discardableResult
    public func take(_ name: String, shape: [Int]) throws(CheckpointError) -> String {
        let full = prefix + name
        let info: TensorInfo
        do {
            info = try file.info(full)
        } catch .missingTensor(let path, let tensor, _) {
            throw .missingTensor(path: path, tensor: tensor, expected: shape)
        }
        guard info.shape == shape else {
            throw .wrongShape(path: file.path, tensor: full, found: info.shape, expected: shape)
        }
        used.insert(full)
        return full
    }

    /// Notes that a tensor is missing or misshapen, so that all such can be told at once by `requireSound`.
    public func record(_ defect: CheckpointError) { used.insert(defect: defect) }

    /// Throws what has been recorded, and tensors of this scope that haven't been taken.
    /// - Parameter ignored: names within this scope that may be spare.
    public func requireSound(ignoring ignored: [String] = []) throws(CheckpointError) {
        var defects = used.defects
        let spare = unusedNames(ignoring: ignored)
        if !spare.isEmpty { defects.append(.spareTensors(path: file.path, tensors: spare)) }
        switch defects.count {
        case 0: return
        case 1: throw defects[0]
        default: throw .several(defects)
        }
    }

    /// The numbers that follow `path` in names, sorted: 0, 1 where there are `blocks.0.weight` and `blocks.1.bias`.
    public func childIndices(_ path: String = "") -> [Int] {
        let start = prefix + Self.closed(path)
        var indices: Set<Int> = []
        for name in file.names where name.hasPrefix(start) {
            let component = name.dropFirst(start.count).prefix { $0 != "." }
            if let index = Int(component), "\(index)" == component, index >= 0 { indices.insert(index) }
        }
        return indices.sorted()
    }

    /// Full names of this scope's tensors that haven't been taken, sorted.
    /// - Parameter ignored: names within this scope to leave out.
    public func unusedNames(ignoring ignored: [String] = []) -> [String] {
        let ignored = Set(ignored.map { prefix + $0 })
        let used = used.all
        return file.names.filter { $0.hasPrefix(prefix) && !used.contains($0) && !ignored.contains($0) }.sorted()
    }

    private static func closed(_ path: String) -> String {
        path.isEmpty || path.hasSuffix(".") ? path : path + "."
    }
}

private final class UsedNames: Sendable {
    private let names = Mutex<Set<String>>([])
    private let recorded = Mutex<[CheckpointError]>([])

    var all: Set<String> { names.withLock { $0 } }
    var defects: [CheckpointError] { recorded.withLock { $0 } }

    func insert(defect: CheckpointError) { recorded.withLock { $0.append(defect) } }

    func insert(_ name: String) {
        _ = names.withLock { $0.insert(name) }
    }
}
