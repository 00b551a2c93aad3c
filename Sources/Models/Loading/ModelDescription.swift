import TokenizerCore

/// What is known of a loaded model, for people and for `/v1/models`.
public struct ModelDescription: Sendable {
    public let id: String
    public let contract: TokenContract
    /// Role and path of every file that was read.
    public let files: [(role: String, path: String)]
    /// Sizes and settings, in reading order.
    public let facts: [(name: String, value: String)]
    /// Where a configuration disagrees with the tensors, which win.
    public let warnings: [String]
}

/// A model ready to be used by one thread.
public struct LoadedModel {
    public let tokenizer: any Tokenizer
    public let description: ModelDescription
}
