import Checkpoint
import FilePaths
import Tensor
import TokenizerCore

/// A model's packed weights, mapped, for the precision and the instructions that they are used with.
final class PackedModel: LayerStore {
    let path: String
    private let file: PackedFile
    private let facts: PackedFacts
    /// Whether a source's file has another time than when the model was packed, so that its fingerprint must be
    /// computed.
    private(set) var isTouched = false
    /// Layers that were packed otherwise than they would be packed here, and so are made from their tensors.
    private(set) var strangers: [String] = []

    /// - Throws: `CheckpointError` for a file that can't be used at all, `ModelError` for one of something else.
    init(path: String, _ precision: Precision) throws {
        self.path = path
        file = try PackedFile(path: path)
        guard let facts = PackedFacts(file.facts) else {
            throw ModelError.packed("\(path): its index doesn't say what was packed, from what and for what")
        }
        self.facts = facts
        for (what, found, expected) in [
            ("precision", facts.precision, precision.rawValue), ("instructions", facts.level, "\(Compute.level)"),
            ("version", facts.oneDNN, Compute.oneDNN),
        ] where found != expected {
            throw ModelError.packed("\(path): packed for \(what) '\(found)', expected '\(expected)'")
        }
    }

    /// The file for a model of this folder, with the level in force.
    static func path(in folder: String, _ precision: Precision) -> String {
        "\(folder)/packed-\(precision.rawValue)-\(Compute.level.name).tessera"
    }

    /// Throws where they are others than those it was packed from, as far as sizes tell.
    func check(_ files: [SourceFile]) throws(ModelError) {
        guard files.map(\.role) == facts.sources.map(\.role) else {
            throw .packed("\(path): packed from \(Self.told(facts.sources)), expected \(Self.told(files))")
        }
        for (now, then) in zip(files, facts.sources) {
            guard Path(now.name) == Path(then.name), now.stamp.size == then.stamp.size else {
                throw .packed(
                    "\(path): other \(now.role): packed from \(then.name) of \(then.stamp.size) bytes, found "
                        + "\(now.name) of \(now.stamp.size)")
            }
            if now.stamp.modified != then.stamp.modified { isTouched = true }
        }
    }

    private static func told(_ files: [SourceFile]) -> String { files.map(\.role).joined(separator: " and ") }

    /// As it was noted, where the files are as they were; else computed, and compared with that.
    func fingerprint(_ tensors: [FingerprintedTensor], _ contract: TokenContract) throws -> String {
        guard facts.settings == Fingerprint.settings(contract) else {
            throw ModelError.packed("\(path): packed with other settings of the contract: \(facts.settings)")
        }
        guard isTouched else { return facts.fingerprint }
        let found = try Fingerprint.of(tensors, contract)
        guard found == facts.fingerprint else {
            throw ModelError.packed("\(path): the weights have changed: their fingerprint is another")
        }
        return found
    }

    /// The layer of that name, where it lies.
    func layer(_ name: String) throws(ModelError) -> PackedLayer {
        guard let layer = file.layers[name] else { throw .packed("\(path): there is no layer '\(name)'") }
        return PackedLayer(layout: layer.layout, parts: layer.parts.map { file.bytes(of: $0) }, owner: file)
    }

    func add(stranger name: String) { strangers.append(name) }

    var fingerprint: String { facts.fingerprint }

    /// Puts the file and a layer before what a layer says of its bytes.
    func misfit(_ layer: String, _ error: LibraryError) -> ModelError {
        .packed("\(path): layer '\(layer)': \(error)")
    }

    /// Whether all of the file is as it was written; reads it whole.
    func verify() throws(CheckpointError) { try file.verify() }

    var size: Int { file.size }
}
