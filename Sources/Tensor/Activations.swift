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

/// What one product hands to the next. (rows, channels). A product of 8 bits takes either and rounds it by itself.
public enum Activations {
    case float32(Plane)
    case bfloat16(BFloat16Plane)

    /// As the kernels that take both want it.
    var kernelRows: tk_rows {
        switch self {
        case .float32(let plane): tk_rows(float32: plane.data, bfloat16: nil)
        case .bfloat16(let plane): tk_rows(float32: nil, bfloat16: plane.data)
        }
    }

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
    /// Puts x (chosen.count, channels) in the place of some rows.
    public func replace(_ chosen: [Int], by x: Activations) {
        precondition(x.rows == chosen.count && x.channels == channels && chosen.allSatisfy { $0 < rows })
        for (place, row) in chosen.enumerated() {
            switch (self, x) {
            case (.float32(let to), .float32(let from)):
                (to.data + row * channels).update(from: from.data + place * channels, count: channels)
            case (.bfloat16(let to), .bfloat16(let from)):
                (to.data + row * channels).update(from: from.data + place * channels, count: channels)
            default: preconditionFailure("rows in another arithmetic")
            }
        }
    }

    /// A copy of some rows.
    public func rows(_ chosen: [Int], _ pool: ScratchPool) -> Activations {
        switch self {
        case .float32(let plane): return .float32(plane.rows(chosen, pool))
        case .bfloat16(let plane):
            let some = pool.bfloat16(chosen.count, channels)
            for (place, row) in chosen.enumerated() {
                precondition(row < rows)
                (some.data + place * channels).update(from: plane.data + row * channels, count: channels)
            }
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
        switch arithmetic.unquantized {
        case .float32, .int8: return .float32(x)
        case .bfloat16:
            let y = bfloat16(x.rows, x.channels)
            tk_to_bfloat16(x.data, x.count, y.data)
            return .bfloat16(y)
        }
    }
}

extension Affine {
    /// LayerNorm over each row, as a product in that arithmetic takes it.
    public func layerNorm(_ x: Plane, eps: Float, as arithmetic: Compute.Arithmetic, _ pool: ScratchPool) -> Activations
    {
        precondition(x.channels == width)
        switch arithmetic.unquantized {
        case .float32, .int8: return .float32(layerNorm(x, eps: eps, pool))
        case .bfloat16:
            let y = pool.bfloat16(x.rows, width)
            tk_layer_norm_bfloat16(x.data, x.rows, width, gain.data, bias.data, eps, y.data)
            return .bfloat16(y)
        }
    }
}
