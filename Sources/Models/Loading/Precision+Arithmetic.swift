import Tensor
import TokenizerCore

extension ModelSource {
    /// What is computed in where this model is asked for, and a line where that isn't what was asked for.
    var feasiblePrecision: (precision: Precision, warning: String?) {
        let wanted = precision ?? .fp32
        if wanted.arithmetic.isNative { return (wanted, nil) }
        return (
            .fp32,
            "\(id): precision \(wanted.rawValue) needs a processor with AVX-512 BF16, which this one is not; fp32 instead"
        )
    }
}

extension Precision {
    /// Of matrix products.
    var arithmetic: Compute.Arithmetic {
        switch self {
        case .fp32: .float32
        case .bf16: .bfloat16
        }
    }
}
