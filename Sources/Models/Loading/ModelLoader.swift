import Checkpoint
import Tensor

/// From a folder to a tokenizer.
public enum ModelLoader {
    /// Processors this process may use, by its affinity and its cgroup's quota.
    public static var availableProcessors: Int { Compute.availableProcessors }

    /// Reads a model whole; its architecture is told by its tensors' names. The model belongs to the calling thread,
    /// whose pool of computing threads is set here.
    ///
    /// - Parameter threads: computing threads; `nil`: as many as this process may use.
    /// - Throws: `ModelError`, `CheckpointError` or `LibraryError`, each one clear line.
    public static func load(_ source: ModelSource, threads: Int? = nil) throws -> LoadedModel {
        Compute.setThreads(threads ?? Compute.availableProcessors)
        let folder = try ModelFolder(source.folder)
        let weights = try folder.weights(preferring: preferredWeights)
        let file = try CheckpointFile(path: weights)
        let config = try folder.config()
        let settings = try ConfigNode.load(path: config)
        if file.has("quantizer.embeddings") {
            return try ReVQLoading(
                source: source, folder: folder, file: file, configPath: config, config: settings
            ).load()
        }
        if file.has("quantize.embedding") {
            return try SFTokLoading(source: source, file: file, configPath: config, config: settings).load()
        }
        throw ModelError.structure("\(weights): \(whatElse(file))")
    }

    /// Gives the memory of models that are gone back to the system; takes some milliseconds, from any thread.
    public static func returnMemory() { Compute.returnMemory() }

    /// Whether a model's files are there, without reading them.
    public static func checkFiles(_ source: ModelSource) throws(ModelError) {
        let folder = try ModelFolder(source.folder)
        _ = try folder.weights(preferring: preferredWeights)
        _ = try folder.config()
    }

    private static let preferredWeights = ["model.safetensors", "ckpt.pth"]

    private static func whatElse(_ file: CheckpointFile) -> String {
        let expected = "expected SFTok ('quantize.embedding') or ReVQ ('quantizer.embeddings')"
        if file.has("model.embeddings.word_embeddings.weight") {
            return "this is SFTok's generator, which makes tokens from classes; \(expected)"
        }
        if file.has("encoder.conv_in.weight") || file.has("encoder.conv_in.conv.weight") {
            return "this is a VAE, which has no tokens by itself; \(expected)"
        }
        let some = file.names.sorted().prefix(3).map { "'\($0)'" }.joined(separator: ", ")
        return "no tokenizer's tensors: \(expected), found \(some.isEmpty ? "none" : some)"
    }
}

/// Puts the file before a message about its structure.
func naming<T>(_ file: CheckpointFile, _ body: () throws -> T) throws -> T {
    do {
        return try body()
    } catch ModelError.structure(let text) where !text.hasPrefix(file.path) {
        throw ModelError.structure("\(file.path): \(text)")
    }
}
