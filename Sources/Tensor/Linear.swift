import CKernels

/// What follows a matrix product in the same pass.
public enum Activation: Int32, Sendable {
    case none = 0
    /// Exact (erf) GELU; of products of 8 bits and of bfloat16 numbers a polynomial, within 3e-5 |x| of it.
    case gelu = 1
    case tanh = 2
    case silu = 3
    case relu = 4
}

/// y = activation(x w^T + b).
///
/// With packed weights by kernels of our own; of float32 without AVX-512 on OpenBLAS, which uses PyTorch's order of
/// weights as it lies.
public final class Linear: PackableLayer {
    public let inputs: Int
    public let outputs: Int
    public let arithmetic: Compute.Arithmetic
    private let weights: Weights
    /// Of packed weights that weren't made here.
    private let owner: AnyObject?

    private enum Weights {
        case plain(PlainWeights)
        case packed(OpaquePointer)
    }

    /// - Parameters:
    ///   - weight: (outputs, inputs), PyTorch's order.
    ///   - bias: outputs numbers.
    ///   - arithmetic: native at the level in force.
    /// - Throws: `LibraryError` where no kernel of ours can make it.
    public init(
        inputs: Int, outputs: Int, weight: consuming FloatBuffer, bias: consuming FloatBuffer?,
        arithmetic: Compute.Arithmetic = .float32
    ) throws(LibraryError) {
        precondition(arithmetic.isNative)
        precondition(inputs > 0 && outputs > 0 && weight.count == inputs * outputs)
        self.inputs = inputs
        self.outputs = outputs
        self.arithmetic = arithmetic
        owner = nil
        let plain = PlainWeights(weight, bias)
        weights =
            Self.isPlain(arithmetic)
            ? .plain(plain)
            : try Self.product(inputs, outputs, plain.weight.data, packedBytes: 0, plain.biasPointer, arithmetic)
    }

    /// On what a layer of this size packed, at the level in force.
    ///
    /// - Throws: `LibraryError` where it is packed in another way.
    public init(inputs: Int, outputs: Int, packed: PackedLayer, arithmetic: Compute.Arithmetic) throws(LibraryError) {
        precondition(arithmetic.isNative)
        self.inputs = inputs
        self.outputs = outputs
        self.arithmetic = arithmetic
        owner = packed.owner
        try packed.require(Self.layout(inputs, outputs, arithmetic))
        let bias = try packed.bias(outputs)
        if Self.isPlain(arithmetic) {
            let weight = try packed.floats(0, inputs * outputs)
            weights = .plain(PlainWeights(weight, bias == nil ? nil : try packed.floats(1, outputs)))
        } else {
            let part = try packed.weights
            weights = try Self.product(inputs, outputs, part.baseAddress, packedBytes: part.count, bias, arithmetic)
        }
    }

    public var packed: PackedLayer {
        switch weights {
        case .plain(let plain):
            return PackedLayer(
                layout: Self.layout(inputs, outputs, arithmetic), weights: plain.weight.data,
                bytes: inputs * outputs * MemoryLayout<Float>.stride, bias: plain.biasPointer, outputs: outputs,
                owner: self)
        case .packed(let handle):
            var bytes = 0
            var bias: UnsafePointer<Float>?
            let weights = tk_product_weights(handle, &bytes, &bias)
            return PackedLayer(
                layout: Self.layout(inputs, outputs, arithmetic), weights: weights, bytes: bytes, bias: bias,
                outputs: outputs, owner: self)
        }
    }

    private static func layout(_ inputs: Int, _ outputs: Int, _ arithmetic: Compute.Arithmetic) -> String {
        let kind = isPlain(arithmetic) ? "rows" : String(cString: tk_product_layout(bits(arithmetic)))
        return "\(kind), \(outputs) x \(inputs)"
    }

    private static func bits(_ arithmetic: Compute.Arithmetic) -> Int32 {
        switch arithmetic {
        case .float32: 32
        case .bfloat16: 16
        case .int8: 8
        }
    }

    private static func isPlain(_ arithmetic: Compute.Arithmetic) -> Bool {
        arithmetic == .float32 && Compute.level.rawValue < Compute.Level.avx512.rawValue
    }

    /// - Parameter packedBytes: 0 where weights are floats in PyTorch's order.
    private static func product(
        _ inputs: Int, _ outputs: Int, _ weights: UnsafeRawPointer?, packedBytes: Int, _ bias: UnsafePointer<Float>?,
        _ arithmetic: Compute.Arithmetic
    ) throws(LibraryError) -> Weights {
        if let handle = tk_product_create(bits(arithmetic), outputs, inputs, weights, packedBytes, bias) {
            return .packed(handle)
        }
        throw LibraryError(
            description: "no product \(inputs) -> \(outputs), \(arithmetic), at \(Compute.level) on these weights")
    }

    deinit {
        switch weights {
        case .plain: break
        case .packed(let handle): tk_product_free(handle)
        }
    }

    /// The whole of x (rows, inputs) into a new plane of the same height and width.
    public func callAsFunction(_ x: Plane, _ pool: ScratchPool, activation: Activation = .none) -> Plane {
        let y = pool.plane(x.height, x.width, outputs)
        run(pool.activations(x, as: arithmetic), to: y, activation: activation)
        return y
    }

    /// (rows, inputs) -> (rows, outputs), for another product in this arithmetic.
    public func callAsFunction(_ x: Activations, _ pool: ScratchPool, activation: Activation = .none) -> Activations {
        switch x {
        case .float32(let x):
            let y = pool.plane(x.height, x.width, outputs)
            run(.float32(x), to: y, activation: activation)
            return .float32(y)
        case .bfloat16(let rows):
            let y = Activations.bfloat16(pool.bfloat16(rows.rows, outputs))
            multiply(x, activation, adds: false, to: y.kernelRows)
            return y
        }
    }

    /// x (rows, inputs), in this arithmetic, into y (rows, outputs).
    ///
    /// - Parameter adds: to what y holds; then there is no activation.
    public func run(_ x: Activations, to y: Plane, activation: Activation = .none, adds: Bool = false) {
        precondition(y.channels == outputs && y.rows == x.rows)
        run(x, to: y.data, activation: activation, adds: adds)
    }

    /// Into `x.rows` rows of `outputs` numbers.
    public func run(
        _ x: Activations, to y: UnsafeMutablePointer<Float>, activation: Activation = .none, adds: Bool = false
    ) {
        multiply(x, activation, adds: adds, to: tk_rows(float32: y, bfloat16: nil))
    }

    private func multiply(_ x: Activations, _ activation: Activation, adds: Bool, to y: tk_rows) {
        precondition(x.channels == inputs && !(adds && activation != .none))
        switch (weights, x) {
        case (.packed(let handle), .bfloat16),
            (.packed(let handle), .float32) where arithmetic != .bfloat16:
            tk_product_run(handle, x.rows, x.kernelRows, activation.rawValue, adds ? 1 : 0, y)
        case (.plain(let plain), .float32(let x)):
            tk_linear(
                x.rows, outputs, inputs, x.data, plain.weight.data, plain.biasPointer, activation.rawValue,
                adds ? 1 : 0, y.float32, outputs)
        default: preconditionFailure("not what a product in \(arithmetic) takes")
        }
    }
}

/// In a class because an enumeration's case can't hold what can't be copied.
private final class PlainWeights {
    let weight: FloatBuffer
    private let bias: FloatBuffer?

    init(_ weight: consuming FloatBuffer, _ bias: consuming FloatBuffer?) {
        self.weight = weight
        self.bias = bias
    }

    var biasPointer: UnsafeMutablePointer<Float>? {
        switch bias {
        case .some(let bias): bias.data
        case .none: nil
        }
    }
}
