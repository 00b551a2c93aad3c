import CKernels
import Tensor

/// AdamW (arXiv 1711.05101) with PyTorch's defaults, over one flat array.
final class AdamW {
    let first: FloatBuffer
    let second: FloatBuffer
    let decay: Float

    init(count: Int, decay: Float) {
        first = FloatBuffer(count: count)
        second = FloatBuffer(count: count)
        first.buffer.update(repeating: 0)
        second.buffer.update(repeating: 0)
        self.decay = decay
    }

    /// Step number `step`, from 1, after clipping the gradient's norm to `limit`.
    func step(
        _ parameters: UnsafeMutablePointer<Float>, _ gradients: UnsafeMutablePointer<Float>, rate: Float, step: Int,
        limit: Double
    ) {
        let norm = tk_sum_of_squares(gradients, first.count).squareRoot()
        let (beta1, beta2) = (0.9, 0.999)
        var settings = tk_adamw_step(
            beta1: beta1, beta2: beta2, rate: rate, eps: 1e-8, decay: decay,
            scale: Float(min(1, limit / (norm + 1e-6))), correction1: Float(1 - power(beta1, step)),
            correction2: Float(1 - power(beta2, step)))
        tk_adamw(parameters, gradients, first.data, second.data, first.count, &settings)
    }
}

/// By repeated squaring.
func power(_ base: Double, _ exponent: Int) -> Double {
    var (result, square, rest) = (1.0, base, exponent)
    while rest > 0 {
        if rest & 1 == 1 { result *= square }
        square *= square
        rest >>= 1
    }
    return result
}
