import Checkpoint
import FilePaths
import Tensor
import TokenizerCore

/// Where a model's layers get their weights. Whatever it is, a model's structure comes from its checkpoint's names and
/// shapes.
enum WeightOrigin {
    /// The checkpoint's tensors, which layers pack.
    case tensors
    /// The same, and what comes of it is noted to be written.
    case packing(Packing)
    /// What was packed before: no tensor is read.
    case packed(PackedModel)
    /// The memory of a model that is loaded.
    case shared(any LayerStore)

    /// Whether tensors are read.
    var readsTensors: Bool {
        switch self {
        case .tensors, .packing: true
        case .packed, .shared: false
        }
    }

    /// Has the files that the weights come from noted, or compared with what was noted.
    func check(_ files: [SourceFile]) throws(ModelError) {
        switch self {
        case .tensors, .shared: return
        case .packing(let packing):
            packing.sources = files
            packing.access = .common(to: files.map(\.access))
        case .packed(let model): try model.check(files)
        }
    }

    /// The contract's, for these tensors.
    func fingerprint(_ tensors: [FingerprintedTensor], _ contract: TokenContract) throws -> String {
        switch self {
        case .tensors: return try Fingerprint.of(tensors, contract)
        case .packing(let packing):
            packing.settings = Fingerprint.settings(contract)
            packing.fingerprint = try Fingerprint.of(tensors, contract)
            return packing.fingerprint
        case .packed(let model): return try model.fingerprint(tensors, contract)
        case .shared(let store): return store.fingerprint
        }
    }
}

/// Layers of a model that is loaded, by their names.
protocol LayerStore {
    func layer(_ name: String) throws(ModelError) -> PackedLayer
    /// The model's, which has been checked.
    var fingerprint: String { get }
}

/// A file that weights come from.
struct SourceFile: Equatable {
    /// Such as "weights"; no two of a model's are alike.
    let role: String
    /// Without its folder: a model may be packed in one place and used in another.
    let name: String
    let stamp: FileStamp
    let access: FileAccess

    init(_ role: String, _ file: CheckpointFile) {
        self.init(
            role: role, name: Path(file.path).name.description, stamp: file.stamp, access: file.access)
    }

    init(role: String, name: String, stamp: FileStamp, access: FileAccess = .unlimited) {
        self.role = role
        self.name = name
        self.stamp = stamp
        self.access = access
    }
}
