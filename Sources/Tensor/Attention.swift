import CKernels

extension ScratchPool {
    /// Softmax attention with heads of 64. `qkv` (L, 3W) holds q | k | v; only `queries` are answered.
    /// Returns (queries.count, W).
    public func attention(qkv: Plane, queries: Range<Int>) -> Plane {
        let width = qkv.channels / 3
        let out = plane(queries.count, 1, width)
        tk_attention(
            qkv.data, qkv.data + width, qkv.data + 2 * width, qkv.channels, qkv.rows, width / 64, queries.lowerBound,
            queries.count, out.data)
        return out
    }

    /// DC-AE's ReLU linear attention (arXiv 2410.10733, section 3.3). `qkv`: per head q | k | v of 32 channels each.
    /// Returns channels / 3 channels.
    public func linearAttention(qkv: Plane) -> Plane {
        let heads = qkv.channels / 96
        let out = plane(qkv.height, qkv.width, heads * 32)
        tk_linear_attention(qkv.data, qkv.rows, heads, out.data)
        return out
    }

    /// Grouped 1x1 convolution, groups of 32 channels. x's first channels into y's channels from `column`;
    /// `weight` (32 * groups, 32).
    public func groupedPointwise(_ x: Plane, weight: borrowing FloatBuffer, into y: Plane, column: Int) {
        let groups = weight.count / 1024
        tk_grouped_pointwise(x.data, x.channels, weight.data, x.rows, groups, y.data + column, y.channels)
    }
}
