import CKernels

/// Gain and bias of a normalisation.
public final class Affine {
    public let width: Int
    let gain: FloatBuffer
    let bias: FloatBuffer

    public init(gain: consuming FloatBuffer, bias: consuming FloatBuffer) {
        width = gain.count
        precondition(bias.count == width)
        self.gain = gain
        self.bias = bias
    }

    /// LayerNorm over each of `rows` rows; x and y may be the same.
    public func layerNorm(
        _ x: UnsafePointer<Float>, rows: Int, eps: Float, to y: UnsafeMutablePointer<Float>
    ) {
        tk_layer_norm(x, rows, width, gain.data, bias.data, eps, y)
    }

    public func layerNorm(_ x: Plane, eps: Float, _ pool: ScratchPool) -> Plane {
        precondition(x.channels == width)
        let y = pool.plane(x.height, x.width, width)
        layerNorm(x.data, rows: x.rows, eps: eps, to: y.data)
        return y
    }

    /// RMSNorm with bias over channels (eps 1e-5, DC-AE's), plus `residual`, in place in `x`.
    public func rmsNorm(inPlace x: Plane, residual: Plane? = nil, relu: Bool = false) {
        precondition(x.channels == width && residual?.count ?? x.count == x.count)
        tk_rms_norm(x.data, residual?.data, x.rows, width, gain.data, bias.data, 1e-5, relu ? 1 : 0, x.data)
    }

    /// silu(GroupNorm(x)) with 32 groups, eps 1e-6 (VQGAN's).
    public func groupNormSiLU(_ x: Plane, _ pool: ScratchPool) -> Plane {
        precondition(x.channels == width && width % 32 == 0)
        let y = pool.plane(x.height, x.width, width)
        let scratch = pool.plane(1, 2, tk_group_norm_scratch(x.rows, width))
        scratch.data.withMemoryRebound(to: Double.self, capacity: scratch.count / 2) { partial in
            tk_group_norm_silu(x.data, x.rows, width, 32, gain.data, bias.data, 1e-6, partial, y.data)
        }
        return y
    }
}
