import CKernels

/// As a `Plane`, of bfloat16 numbers: (rows, channels).
public final class BFloat16Plane {
    public let rows: Int
    public let channels: Int
    public let data: UnsafeMutablePointer<UInt16>
    private let memory: Plane

    fileprivate init(rows: Int, channels: Int, _ pool: ScratchPool) {
        self.rows = rows
        self.channels = channels
        memory = pool.plane(1, 1, (rows * channels + 1) / 2)
        data = UnsafeMutableRawPointer(memory.data).bindMemory(to: UInt16.self, capacity: rows * channels)
    }
}

/// What one product hands to the next, in the arithmetic of both. (rows, channels).
public enum Activations {
    case float32(Plane)
    case bfloat16(BFloat16Plane)

    public var rows: Int {
        switch self {
        case .float32(let plane): plane.rows
        case .bfloat16(let plane): plane.rows
        }
    }

    public var channels: Int {
        switch self {
        case .float32(let plane): plane.channels
        case .bfloat16(let plane): plane.channels
        }
    }
}

extension Activations {
    /// A copy of some rows.
    public func rows(_ range: Range<Int>, _ pool: ScratchPool) -> Activations {
        switch self {
        case .float32(let plane): return .float32(plane.rows(range, pool))
        case .bfloat16(let plane):
            precondition(range.upperBound <= rows)
            let some = pool.bfloat16(range.count, channels)
            some.data.update(from: plane.data + range.lowerBound * channels, count: range.count * channels)
            return .bfloat16(some)
        }
    }
}

extension ScratchPool {
    /// With arbitrary contents.
    func bfloat16(_ rows: Int, _ channels: Int) -> BFloat16Plane {
        BFloat16Plane(rows: rows, channels: channels, self)
    }

    /// A plane's rows as a product in that arithmetic takes them.
    public func activations(_ x: Plane, as arithmetic: Compute.Arithmetic) -> Activations {
        switch arithmetic {
        case .float32: return .float32(x)
        case .bfloat16:
            let y = bfloat16(x.rows, x.channels)
            tk_to_bfloat16(x.data, x.rows, x.channels, x.channels, y.data)
            return .bfloat16(y)
        }
    }
}

extension Affine {
    /// LayerNorm over each row, as a product in that arithmetic takes it.
    public func layerNorm(_ x: Plane, eps: Float, as arithmetic: Compute.Arithmetic, _ pool: ScratchPool) -> Activations
    {
        precondition(x.channels == width)
        switch arithmetic {
        case .float32: return .float32(layerNorm(x, eps: eps, pool))
        case .bfloat16:
            let y = pool.bfloat16(x.rows, width)
            tk_layer_norm_bfloat16(x.data, x.rows, width, gain.data, bias.data, eps, y.data)
            return .bfloat16(y)
        }
    }
}
