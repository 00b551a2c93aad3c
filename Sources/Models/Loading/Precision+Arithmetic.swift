import Tensor
import TokenizerCore

extension ModelSource {
    /// What is computed in where this model is asked for, and a line where that isn't what was asked for.
    var feasiblePrecision: (precision: Precision, warning: String?) {
        let wanted = precision ?? .fp32
        if wanted.arithmetic.isNative { return (wanted, nil) }
        let missing =
            Compute.oneDNNHasAVX512
            ? "a processor with \(wanted.instructions), which this one is not"
            : "oneDNN with AVX-512, which the processor lacks or DNNL_MAX_CPU_ISA keeps from it"
        return (.fp32, "\(id): precision \(wanted.rawValue) needs \(missing); fp32 instead")
    }
}

extension Precision {
    /// What a processor must have for it.
    fileprivate var instructions: String {
        switch self {
        case .fp32: "SSE2"
        case .bf16: "AVX-512 BF16"
        case .int8: "AVX-512 VNNI"
        }
    }

    /// Of matrix products.
    var arithmetic: Compute.Arithmetic {
        switch self {
        case .fp32: .float32
        case .bf16: .bfloat16
        case .int8: .int8
        }
    }
}
