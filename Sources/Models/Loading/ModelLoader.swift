import Checkpoint
import FilePaths
import Glibc
import Tensor

/// From a folder to a tokenizer.
public enum ModelLoader {
    /// Processors this process may use, by its affinity and its cgroup's quota.
    public static var availableProcessors: Int { Compute.availableProcessors }

    /// Maps a model's packed weights where its folder has such for the precision and this processor, and they fit; else
    /// reads it whole, with a warning where there are some that don't. Its architecture is told by its tensors' names.
    /// The model belongs to the calling thread, whose pool of computing threads is set here.
    ///
    /// - Parameters:
    ///   - threads: computing threads; `nil`: as many as this process may use.
    ///   - imagesAtOnce: with more than one, the model has as many replicas, which share its weights and divide its
    ///     threads.
    /// - Throws: `ModelError`, `CheckpointError` or `LibraryError`, each one clear line.
    public static func load(_ source: ModelSource, threads: Int? = nil, imagesAtOnce: Int = 1) throws -> LoadedModel {
        let threads = threads ?? Compute.availableProcessors
        Compute.setThreads(threads)
        let path = packedPath(source)
        guard Path(path).exists else { return try read(source, threads: threads, imagesAtOnce) }
        do {
            let packed = try PackedModel(path: path, source.feasiblePrecision.precision)
            let loaded = try load(source, packed: packed)
            return try replicated(loaded, threads: threads, imagesAtOnce) { try load(source, .shared(packed)) }
        } catch {
            var loaded = try read(source, threads: threads, imagesAtOnce)
            loaded.description.warnings.append("\(error); the weights are read instead: `tessera pack` packs them anew")
            return loaded
        }
    }

    private static func read(_ source: ModelSource, threads: Int, _ imagesAtOnce: Int) throws -> LoadedModel {
        guard imagesAtOnce > 1 else { return try load(source, .tensors) }
        let packing = Packing()
        let loaded = try load(source, .packing(packing))
        return try replicated(loaded, threads: threads, imagesAtOnce) { try load(source, .shared(packing)) }
    }

    /// - Parameter again: the model once more, on the same weights.
    private static func replicated(
        _ loaded: LoadedModel, threads: Int, _ imagesAtOnce: Int, _ again: () throws -> LoadedModel
    ) throws -> LoadedModel {
        guard imagesAtOnce > 1 else { return loaded }
        // oneDNN makes a convolution for the number of threads that is in force.
        let share = max(1, threads / imagesAtOnce)
        Compute.setThreads(share)
        defer { Compute.setThreads(threads) }
        let replicas = try (0..<imagesAtOnce).map { _ in
            SideBySideTokenizer(try again().tokenizer, threads: share)
        }
        var loaded = loaded
        loaded.tokenizer = SideBySideTokenizer(loaded.tokenizer, threads: threads, replicas: replicas)
        return loaded
    }

    /// Reads a model whole and writes its weights as they are computed with, for later loads to map.
    ///
    /// - Parameter threads: as of `load`.
    /// - Returns: the model, and the file's path and its size in bytes.
    /// - Throws: as `load`; `FileWriteError` where the file can't be written.
    public static func pack(
        _ source: ModelSource, threads: Int? = nil
    ) throws -> (model: ModelDescription, path: String, bytes: Int) {
        Compute.setThreads(threads ?? Compute.availableProcessors)
        let packing = Packing()
        let description = try load(source, .packing(packing)).description
        let path = packedPath(source)
        return (description, path, try packing.write(path, description.contract.precision))
    }

    /// Reads the packed weights that `load` would map, whole, and compares them with what was written.
    ///
    /// - Returns: the file's path and its size in bytes.
    /// - Throws: as `load`, where there are none, where they don't fit the model, or where they are damaged.
    public static func checkPacked(_ source: ModelSource, threads: Int? = nil) throws -> (path: String, bytes: Int) {
        Compute.setThreads(threads ?? Compute.availableProcessors)
        let path = packedPath(source)
        if Path(path).refusal(of: F_OK)?.number == ENOENT {
            throw ModelError.packed("\(path): there is no such file; `tessera pack` writes it")
        }
        let packed = try PackedModel(path: path, source.feasiblePrecision.precision)
        _ = try load(source, packed: packed)
        try packed.verify()
        return (path, packed.size)
    }

    private static func packedPath(_ source: ModelSource) -> String {
        PackedModel.path(in: source.folder, source.feasiblePrecision.precision)
    }

    private static func load(_ source: ModelSource, packed: PackedModel) throws -> LoadedModel {
        var loaded = try load(source, .packed(packed))
        loaded.description.packed = packed.path
        loaded.description.files.append(("packed weights", packed.path))
        if let first = packed.strangers.first {
            loaded.description.warnings.append(
                "\(packed.path): \(packed.strangers.count) of its layers, the first '\(first)', were packed for "
                    + "another number of threads, or other instructions of oneDNN, and are made from the weights "
                    + "instead; `tessera pack` here spares that")
        }
        if packed.isTouched {
            loaded.description.warnings.append(
                "\(packed.path): the weights are those that were packed, but their files have other times, so that "
                    + "all of them had to be read; `tessera pack` spares that")
        }
        return loaded
    }

    private static func load(_ source: ModelSource, _ origin: WeightOrigin) throws -> LoadedModel {
        let folder = try ModelFolder(source.folder)
        let weights = try folder.weights(preferring: preferredWeights)
        let config = try ConfigSection(path: folder.config())
        let (file, note) = try Wrapping.removed(from: CheckpointFile(path: weights), roots: Architecture.roots)
        var loaded: LoadedModel
        switch try Architecture(file, config) {
        case .revq: loaded = try ReVQLoading(source: source, folder: folder, file: file, config: config).load(origin)
        case .sftok: loaded = try SFTokLoading(source: source, file: file, config: config).load(origin)
        }
        if let note { loaded.description.warnings.append(note) }
        return loaded
    }

    /// Returns the memory of discarded models to the system; takes some milliseconds, from any thread.
    public static func returnMemory() { Compute.returnMemory() }

    /// Whether a model's files are there, without reading them.
    public static func checkFiles(_ source: ModelSource) throws(ModelError) {
        let folder = try ModelFolder(source.folder)
        _ = try folder.weights(preferring: preferredWeights)
        _ = try folder.config()
    }

    private static let preferredWeights = ["model.safetensors", "ckpt.pth"]
}

/// Puts the file before a message about its structure.
func naming<T>(_ file: CheckpointFile, _ body: () throws -> T) throws -> T {
    do {
        return try body()
    } catch ModelError.structure(let text) where !text.hasPrefix(file.path) {
        throw ModelError.structure("\(file.path): \(text)")
    }
}
