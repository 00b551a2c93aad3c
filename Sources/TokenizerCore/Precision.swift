/// What a model computes in; part of the token contract, for tokens and pixels depend on it.
public enum Precision: String, Sendable, Hashable, CaseIterable {
    case fp32
    /// Products of bfloat16 numbers with sums in float32; normalisations, softmax, distances and residuals in float32.
    case bf16
}
