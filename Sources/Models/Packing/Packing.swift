import Checkpoint
import JSON
import Tensor
import TokenizerCore

/// What is noted of a model while it is loaded, so that it can be written as it lies in memory, or another be made on
/// the same memory.
final class Packing: LayerStore {
    private var layers: [(name: String, packed: PackedLayer)] = []
    private var places: [String: Int] = [:]
    var sources: [SourceFile] = []
    var settings: [String] = []
    var fingerprint = ""
    /// Who may read all of the weights' files may read what is packed of them.
    var access = FileAccess.unlimited

    /// Keeps the layer's memory until this ends.
    ///
    /// - Precondition: no other has that name.
    func add(_ name: String, _ packed: PackedLayer) {
        precondition(places[name] == nil, "two layers are called '\(name)'")
        places[name] = layers.count
        layers.append((name, packed))
    }

    /// The layer of that name, for another to be made on its memory.
    func layer(_ name: String) throws(ModelError) -> PackedLayer {
        guard let place = places[name] else { throw .structure("there is no layer '\(name)' in memory") }
        return layers[place].packed
    }

    /// - Returns: the file's size in bytes.
    func write(_ path: String, _ precision: Precision) throws(FileWriteError) -> Int {
        let facts = PackedFacts(
            precision: precision.rawValue, level: "\(Compute.level)", oneDNN: Compute.oneDNN, settings: settings,
            fingerprint: fingerprint, sources: sources)
        return try withExtendedLifetime(layers) { () throws(FileWriteError) in
            try PackedWriter.write(
                path, facts: facts.json,
                layers: layers.map { .init(name: $0.name, layout: $0.packed.layout, parts: $0.packed.parts) },
                access: access)
        }
    }
}

/// What a packed file says of the model in it: all of it must be so where the file is used.
struct PackedFacts: Equatable {
    var precision: String
    var level: String
    var oneDNN: String
    /// What the fingerprint is made of beside tensors.
    var settings: [String]
    var fingerprint: String
    var sources: [SourceFile]
}

extension PackedFacts {
    var json: JSONValue {
        let files = sources.map { source -> JSONValue in
            [
                "role": .string(source.role), "name": .string(source.name), "size": JSONValue(source.stamp.size),
                "modified": JSONValue(source.stamp.modified),
            ]
        }
        return [
            "precision": .string(precision), "level": .string(level), "oneDNN": .string(oneDNN),
            "settings": JSONValue(settings), "fingerprint": .string(fingerprint), "sources": .array(files),
        ]
    }

    /// `nil` where something is missing.
    init?(_ json: JSONValue) {
        guard let precision = json["precision"]?.stringValue, let level = json["level"]?.stringValue,
            let oneDNN = json["oneDNN"]?.stringValue, let fingerprint = json["fingerprint"]?.stringValue,
            let settings = json["settings"]?.arrayValue, let files = json["sources"]?.arrayValue
        else { return nil }
        var sources: [SourceFile] = []
        for file in files {
            guard let role = file["role"]?.stringValue, let name = file["name"]?.stringValue,
                let size = file["size"]?.intValue, let modified = file["modified"]?.intValue
            else { return nil }
            sources.append(SourceFile(role: role, name: name, stamp: FileStamp(size: size, modified: modified)))
        }
        self.init(
            precision: precision, level: level, oneDNN: oneDNN, settings: settings.compactMap(\.stringValue),
            fingerprint: fingerprint, sources: sources)
    }
}
