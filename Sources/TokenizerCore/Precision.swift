/// What a model computes in; part of the token contract, for tokens and pixels depend on it.
public enum Precision: String, Sendable, Hashable, CaseIterable {
    case fp32
    /// Products of bfloat16 numbers with sums in float32; normalisations, softmax, distances and residuals in float32.
    case bf16
    /// Matrix products of 8-bit numbers with exact sums; all else as in bf16, or in fp32 where the processor lacks
    /// that.
    case int8
}
