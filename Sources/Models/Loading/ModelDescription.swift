import Tensor
import TokenizerCore

/// What is known of a loaded model, for people and for `/v1/models`.
public struct ModelDescription: Sendable {
    public let id: String
    public let contract: TokenContract
    /// The instruction set that the processor's kernels are chosen for, such as "avx512bf16".
    public let instructions: String
    /// Role and path of every file that was read.
    public internal(set) var files: [(role: String, path: String)]
    /// Sizes and settings, in reading order.
    public let facts: [(name: String, value: String)]
    /// Where names stand behind a prefix that is left out; why packed weights weren't used.
    public internal(set) var warnings: [String]
    /// The file whose packed weights are mapped; `nil` where weights were read.
    public internal(set) var packed: String?

    init(
        id: String, contract: TokenContract, files: [(role: String, path: String)],
        facts: [(name: String, value: String)], warnings: [String]
    ) {
        self.id = id
        self.contract = contract
        instructions = Compute.level.name
        self.files = files
        self.facts = facts
        self.warnings = warnings
    }
}

/// A model ready to be used by one thread.
public struct LoadedModel {
    public internal(set) var tokenizer: any Tokenizer
    public internal(set) var description: ModelDescription
}
