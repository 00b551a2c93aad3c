import CKernels

/// What follows a matrix product in the same pass.
public enum Activation: Int32, Sendable {
    case none = 0
    /// Exact (erf) GELU.
    case gelu = 1
    case tanh = 2
    case silu = 3
    case relu = 4
}

/// y = activation(x w^T + b) (+ residual). Weights (outputs, inputs), PyTorch's order, used where they lie.
public final class Linear {
    public let inputs: Int
    public let outputs: Int
    private let weight: FloatBuffer
    private let bias: FloatBuffer?

    /// - Parameters:
    ///   - weight: outputs * inputs numbers.
    ///   - bias: outputs numbers.
    public init(inputs: Int, outputs: Int, weight: consuming FloatBuffer, bias: consuming FloatBuffer?) {
        self.inputs = inputs
        self.outputs = outputs
        precondition(weight.count == inputs * outputs)
        self.weight = weight
        self.bias = bias
    }

    /// A matrix inside another: rows `ld` numbers apart.
    public struct View {
        let data: UnsafeMutablePointer<Float>
        let ld: Int
        /// Keeps a temporary plane's memory from going back to its pool before it is read.
        private let owner: Plane?

        public init(_ plane: Plane, row: Int = 0, column: Int = 0) {
            owner = plane
            data = plane.data + row * plane.channels + column
            ld = plane.channels
        }

        public init(_ data: UnsafeMutablePointer<Float>, ld: Int) {
            owner = nil
            self.data = data
            self.ld = ld
        }
    }

    /// Computes `rows` rows of outputs `from ..< to`. `residual` may be `y` itself where there is no activation.
    public func run(
        _ x: View, rows: Int, to y: View, activation: Activation = .none, residual: View? = nil,
        outputs range: Range<Int>? = nil
    ) {
        let range = range ?? 0..<outputs
        let bias = biasPointer.map { UnsafePointer($0 + range.lowerBound) }
        tk_linear(
            rows, range.count, inputs, x.data, x.ld, weight.data + range.lowerBound * inputs, inputs, bias,
            activation.rawValue, residual?.data, residual?.ld ?? 0, y.data, y.ld)
    }

    /// The whole of x (rows, inputs) into a new plane of the same height and width.
    public func callAsFunction(_ x: Plane, _ pool: ScratchPool, activation: Activation = .none) -> Plane {
        precondition(x.channels == inputs)
        let y = pool.plane(x.height, x.width, outputs)
        run(View(x), rows: x.rows, to: View(y), activation: activation)
        return y
    }

    private var biasPointer: UnsafeMutablePointer<Float>? {
        switch bias {
        case .some(let bias): bias.data
        case .none: nil
        }
    }
}
