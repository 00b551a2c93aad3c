import CKernels

extension ScratchPool {
    /// Softmax attention with heads of 64. `qkv` (L, 3W) holds q | k | v. Returns (L, W).
    public func attention(qkv: Activations) -> Activations {
        let (width, rows) = (qkv.channels / 3, qkv.rows)
        switch qkv {
        case .float32(let x):
            let out = plane(rows, 1, width)
            tk_attention(
                x.data, 3 * width, rows, x.data + width, x.data + 2 * width, 3 * width, rows, width / 64, out.data)
            return .float32(out)
        case .bfloat16(let x):
            let out = bfloat16(rows, width)
            tk_attention_bfloat16(
                x.data, 3 * width, rows, x.data + width, x.data + 2 * width, 3 * width, rows, width / 64, out.data)
            return .bfloat16(out)
        }
    }

    /// The same where there are fewer queries (N, W) than keys and values, k | v (L, 2W). Returns (N, W).
    public func attention(queries: Activations, others: Activations) -> Activations {
        let width = queries.channels
        precondition(others.channels == 2 * width)
        switch (queries, others) {
        case (.float32(let q), .float32(let kv)):
            let out = plane(q.rows, 1, width)
            tk_attention(
                q.data, width, q.rows, kv.data, kv.data + width, 2 * width, kv.rows, width / 64, out.data)
            return .float32(out)
        case (.bfloat16(let q), .bfloat16(let kv)):
            let out = bfloat16(q.rows, width)
            tk_attention_bfloat16(
                q.data, width, q.rows, kv.data, kv.data + width, 2 * width, kv.rows, width / 64, out.data)
            return .bfloat16(out)
        default: preconditionFailure("queries and keys in two arithmetics")
        }
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
