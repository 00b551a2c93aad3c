import CKernels
import COneDNN

/// A square convolution on oneDNN with zero padding, for one input size. Weights are packed once, at load.
public final class Convolution: PackableLayer {
    /// Geometry. The padding of a 3x3 is 1 on every side unless told otherwise.
    public struct Shape: Sendable {
        public var inputs: Int
        public var outputs: Int
        public var height: Int
        public var width: Int
        public var kernel: Int
        public var stride: Int
        /// Top, left, bottom, right.
        public var padding: (Int, Int, Int, Int)

        public init(
            inputs: Int, outputs: Int, height: Int, width: Int, kernel: Int = 3, stride: Int = 1,
            padding: (Int, Int, Int, Int)? = nil
        ) {
            self.inputs = inputs
            self.outputs = outputs
            self.height = height
            self.width = width
            self.kernel = kernel
            self.stride = stride
            let half = kernel / 2
            self.padding = padding ?? (half, half, half, half)
        }

        /// Winograd's packed weights are four times larger; large pictures, which have few channels, gain the most.
        var winogradPays: Bool {
            kernel == 3 && stride == 1 && padding == (1, 1, 1, 1) && height * width >= 1024 && inputs >= 16
        }

        var outHeight: Int { (height + padding.0 + padding.2 - kernel) / stride + 1 }
        var outWidth: Int { (width + padding.1 + padding.3 - kernel) / stride + 1 }
    }

    /// How a convolution is computed.
    public enum Method: Sendable {
        /// Winograd where it pays, else oneDNN.
        case automatic
        case direct
        case winograd
    }

    private enum Implementation {
        /// In the arithmetic asked for.
        case direct(OpaquePointer)
        /// Factors are rounded after the transform; the picture stays float32.
        case winograd(OpaquePointer)
    }

    public let shape: Shape
    private let arithmetic: Compute.Arithmetic
    private let implementation: Implementation
    /// Of packed weights that weren't made here.
    private let owner: AnyObject?

    /// What a convolution is made from: numbers in PyTorch's order, which are packed, or what was packed before.
    fileprivate struct Weights {
        let data: UnsafeRawPointer?
        /// 0 for numbers that are to be packed.
        let packedBytes: Int
        let bias: UnsafePointer<Float>?

        init(_ weight: borrowing FloatBuffer, _ bias: borrowing FloatBuffer?) {
            data = UnsafeRawPointer(weight.data)
            packedBytes = 0
            switch bias {
            case .some(let bias): self.bias = UnsafePointer(bias.data)
            case .none: self.bias = nil
            }
        }

        init(_ packed: PackedLayer, outputs: Int) throws(LibraryError) {
            let part = try packed.weights
            (data, packedBytes) = (part.baseAddress, part.count)
            bias = try packed.bias(outputs)
        }
    }

    /// - Parameters:
    ///   - weight: (outputs, inputs, kernel, kernel); copied.
    ///   - bias: (outputs); copied.
    ///   - accumulate: add the result to what the output holds.
    public init(
        _ shape: Shape, weight: borrowing FloatBuffer, bias: borrowing FloatBuffer?,
        activation: Activation = .none, accumulate: Bool = false, method: Method = .automatic,
        arithmetic: Compute.Arithmetic = .float32
    ) throws(LibraryError) {
        precondition(weight.count == shape.outputs * shape.inputs * shape.kernel * shape.kernel)
        self.shape = shape
        let arithmetic = arithmetic.unquantized
        self.arithmetic = arithmetic
        owner = nil
        implementation = try Self.implementation(
            shape, Weights(weight, bias), activation, accumulate: accumulate, method, arithmetic)
    }

    /// On what a convolution made alike packed, at the level in force.
    ///
    /// - Throws: `LibraryError` where it is packed in another way.
    public init(
        _ shape: Shape, packed: PackedLayer, activation: Activation = .none, accumulate: Bool = false,
        arithmetic: Compute.Arithmetic = .float32
    ) throws(LibraryError) {
        self.shape = shape
        let arithmetic = arithmetic.unquantized
        self.arithmetic = arithmetic
        owner = packed.owner
        implementation = try Self.implementation(
            shape, Weights(packed, outputs: shape.outputs), activation, accumulate: accumulate, .automatic, arithmetic)
        try packed.require(self.packed.layout)
    }

    public var packed: PackedLayer {
        switch implementation {
        case .direct(let handle):
            let packed = td_packed_weights(handle)
            return PackedLayer(
                layout: PackedLayer.layout("convolution \(arithmetic)", packed), weights: packed.weights,
                bytes: packed.bytes, bias: packed.bias, outputs: shape.outputs, owner: self)
        case .winograd(let handle): return Self.packed(winograd: handle, shape, arithmetic, owner: self)
        }
    }

    fileprivate static func packed(
        winograd handle: OpaquePointer, _ shape: Shape, _ arithmetic: Compute.Arithmetic, owner: AnyObject
    ) -> PackedLayer {
        var bytes = 0
        var bias: UnsafePointer<Float>?
        let weights = tk_winograd_weights(handle, &bytes, &bias)
        return PackedLayer(
            layout: "\(String(cString: tk_winograd_layout(handle))) \(arithmetic) \(Compute.level), "
                + "\(shape.outputs) x \(shape.inputs)",
            weights: weights, bytes: bytes, bias: bias, outputs: shape.outputs, owner: owner)
    }

    private static func implementation(
        _ shape: Shape, _ weights: Weights, _ activation: Activation, accumulate: Bool, _ method: Method,
        _ arithmetic: Compute.Arithmetic
    ) throws(LibraryError) -> Implementation {
        precondition(arithmetic.isNative)
        precondition(!accumulate || activation == .none, "an activation of a sum isn't the sum of activations")
        if method == .winograd || (method == .automatic && shape.winogradPays),
            let handle = winograd(shape, weights, activation, accumulate: accumulate, arithmetic)
        {
            return .winograd(handle)
        }
        guard method != .winograd else {
            throw LibraryError(description: "no Winograd kernel for the convolution \(shape)")
        }
        return .direct(
            try direct(shape, weights, activation: activation, accumulate: accumulate, arithmetic))
    }

    /// - Parameter doubles: of a picture of half the shape's height and width, doubled.
    fileprivate static func winograd(
        _ shape: Shape, _ weights: Weights, _ activation: Activation = .none, accumulate: Bool = false,
        doubles: Bool = false, _ arithmetic: Compute.Arithmetic
    ) -> OpaquePointer? {
        tk_winograd_create(
            shape.height, shape.width, shape.inputs, shape.outputs, weights.data, weights.packedBytes, weights.bias,
            activation.rawValue, accumulate ? 1 : 0, doubles ? 1 : 0, arithmetic == .bfloat16 ? 1 : 0)
    }

    private static func direct(
        _ shape: Shape, _ weights: Weights, activation: Activation, accumulate: Bool,
        _ arithmetic: Compute.Arithmetic
    ) throws(LibraryError) -> OpaquePointer {
        var geometry = td_shape(
            in_channels: shape.inputs, out_channels: shape.outputs, height: shape.height, width: shape.width,
            kernel_height: shape.kernel, kernel_width: shape.kernel, stride: shape.stride,
            pad_top: shape.padding.0, pad_left: shape.padding.1, pad_bottom: shape.padding.2,
            pad_right: shape.padding.3)
        let following: Int32
        switch activation {
        case .none: following = Int32(TD_NONE)
        case .silu: following = Int32(TD_SILU)
        case .relu: following = Int32(TD_RELU)
        case .gelu, .tanh: throw LibraryError(description: "no convolution with \(activation) after it")
        }
        var status: Int32 = 0
        let type = Int32(arithmetic == .bfloat16 ? TD_BF16 : TD_F32)
        guard
            let handle = td_create(
                &geometry, weights.data, weights.packedBytes, weights.bias, following, accumulate ? 1 : 0, type,
                &status)
        else {
            throw LibraryError(
                description: "oneDNN can't make the convolution \(shape), \(arithmetic): status \(status)")
        }
        return handle
    }

    deinit {
        switch implementation {
        case .direct(let handle): td_free(handle)
        case .winograd(let handle): tk_winograd_free(handle)
        }
    }

    /// Who computes: "winograd", or the implementation oneDNN chose, such as "jit:avx2".
    public var implementationName: String {
        switch implementation {
        case .direct(let handle): String(cString: td_implementation(handle))
        case .winograd: "winograd"
        }
    }

    public func callAsFunction(_ x: Plane, _ pool: ScratchPool) -> Plane {
        let y = pool.plane(shape.outHeight, shape.outWidth, shape.outputs)
        run(x, to: y, pool)
        return y
    }

    public func run(_ x: Plane, to y: Plane, _ pool: ScratchPool) {
        precondition(x.height == shape.height && x.width == shape.width && x.channels == shape.inputs)
        precondition(y.height == shape.outHeight && y.width == shape.outWidth && y.channels == shape.outputs)
        run(taken(x, pool), to: y.data)
    }

    /// As `run` takes it.
    func taken(_ x: Plane, _ pool: ScratchPool) -> Activations {
        switch implementation {
        case .direct: pool.activations(x, as: arithmetic)
        case .winograd: .float32(x)
        }
    }

    func run(_ x: Activations, to y: UnsafeMutablePointer<Float>) {
        switch (x, implementation) {
        case (.float32(let x), .winograd(let handle)): tk_winograd_run(handle, x.data, y)
        case (.float32(let x), .direct(let handle)): run(handle, x.data, to: y)
        case (.bfloat16(let x), .direct(let handle)): run(handle, x.data, to: y)
        case (.bfloat16, .winograd): preconditionFailure("Winograd takes float32")
        }
    }

    private func run(_ handle: OpaquePointer, _ x: UnsafeRawPointer, to y: UnsafeMutablePointer<Float>) {
        let status = td_run(handle, x, y)
        precondition(status == 0, "oneDNN failed to run a convolution it had accepted: status \(status)")
    }
}

/// Nearest-neighbour upsampling by 2 and a 3x3 convolution, without the large picture between.
///
/// By Winograd where that pays: 25 products for 16 pixels, since rows and columns come in pairs. Else as four 2x2
/// convolutions of the small picture: each output pixel sees every input pixel under its 3x3 window once, with the
/// weights that fall on it summed (4 taps for 9).
public final class UpsamplingConvolution: PackableLayer {
    private enum Implementation {
        case phases([Convolution])
        case winograd(OpaquePointer)
    }

    private let implementation: Implementation
    private let large: Convolution.Shape
    private let arithmetic: Compute.Arithmetic
    /// Of packed weights that weren't made here.
    private let owner: AnyObject?

    /// - Parameters:
    ///   - height: of the small picture, as `width`.
    ///   - weight: (outputs, inputs, 3, 3); copied.
    public init(
        inputs: Int, outputs: Int, height: Int, width: Int, weight: borrowing FloatBuffer,
        bias: borrowing FloatBuffer?, method: Convolution.Method = .automatic,
        arithmetic: Compute.Arithmetic = .float32
    ) throws(LibraryError) {
        precondition(weight.count == outputs * inputs * 9)
        let arithmetic = arithmetic.unquantized
        self.arithmetic = arithmetic
        large = Convolution.Shape(inputs: inputs, outputs: outputs, height: 2 * height, width: 2 * width)
        owner = nil
        if method == .winograd || (method == .automatic && large.winogradPays),
            let handle = Convolution.winograd(large, .init(weight, bias), doubles: true, arithmetic)
        {
            implementation = .winograd(handle)
            return
        }
        guard method != .winograd else {
            throw LibraryError(description: "no Winograd kernel for the convolution \(large)")
        }
        var phases: [Convolution] = []
        for phase in 0..<4 {
            let folded = UpsamplingConvolution.fold(
                weight, pairs: inputs * outputs, row: phase / 2, column: phase % 2)
            phases.append(
                try Convolution(Self.shape(large, phase: phase), weight: folded, bias: bias, arithmetic: arithmetic))
        }
        implementation = .phases(phases)
    }

    /// On what a layer made alike packed, at the level in force.
    ///
    /// - Throws: `LibraryError` where it is packed in another way.
    public init(
        inputs: Int, outputs: Int, height: Int, width: Int, packed: PackedLayer,
        arithmetic: Compute.Arithmetic = .float32
    ) throws(LibraryError) {
        let arithmetic = arithmetic.unquantized
        self.arithmetic = arithmetic
        large = Convolution.Shape(inputs: inputs, outputs: outputs, height: 2 * height, width: 2 * width)
        owner = packed.owner
        // Four convolutions have at least four parts.
        if large.winogradPays, packed.parts.count < 4,
            let handle = Convolution.winograd(large, try .init(packed, outputs: outputs), doubles: true, arithmetic)
        {
            implementation = .winograd(handle)
        } else {
            var phases: [Convolution] = []
            for (phase, part) in try packed.divided(into: 4).enumerated() {
                phases.append(
                    try Convolution(Self.shape(large, phase: phase), packed: part, arithmetic: arithmetic))
            }
            implementation = .phases(phases)
        }
        try packed.require(self.packed.layout)
    }

    public var packed: PackedLayer {
        switch implementation {
        case .phases(let phases): PackedLayer(phases.map(\.packed), owner: self)
        case .winograd(let handle): Convolution.packed(winograd: handle, large, arithmetic, owner: self)
        }
    }

    private static func shape(_ large: Convolution.Shape, phase: Int) -> Convolution.Shape {
        let (row, column) = (phase / 2, phase % 2)
        return Convolution.Shape(
            inputs: large.inputs, outputs: large.outputs, height: large.height / 2, width: large.width / 2, kernel: 2,
            padding: (1 - row, 1 - column, row, column))
    }

    deinit {
        if case .winograd(let handle) = implementation { tk_winograd_free(handle) }
    }

    /// The 2x2 kernel of one phase. An even output row y = 2i reads rows i-1 (tap 0) and i (taps 1 + 2); an odd one
    /// reads i (taps 0 + 1) and i+1 (tap 2). Columns alike.
    private static func fold(_ weight: borrowing FloatBuffer, pairs: Int, row: Int, column: Int) -> FloatBuffer {
        let folded = FloatBuffer(count: pairs * 4)
        let taps: [[[Int]]] = [[[0], [1, 2]], [[0, 1], [2]]]
        for pair in 0..<pairs {
            for position in 0..<4 {
                var sum: Float = 0
                for i in taps[row][position / 2] {
                    for j in taps[column][position % 2] { sum += weight.data[pair * 9 + i * 3 + j] }
                }
                folded.data[pair * 4 + position] = sum
            }
        }
        return folded
    }

    /// x (h, w, inputs) -> (2h, 2w, outputs); `shortcut` adds DC-AE's channel-to-space residual of x.
    public func callAsFunction(_ x: Plane, shortcut: Bool, _ pool: ScratchPool) -> Plane {
        precondition(2 * x.height == large.height && 2 * x.width == large.width && x.channels == large.inputs)
        let outputs = large.outputs
        let y = pool.plane(large.height, large.width, outputs)
        switch implementation {
        case .winograd(let handle):
            tk_winograd_run(handle, x.data, y.data)
            if shortcut { tk_add_channels_to_space(x.data, x.height, x.width, x.channels, outputs, y.data) }
        case .phases(let phases):
            let parts = pool.plane(4 * x.height, x.width, outputs)
            let each = x.rows * outputs
            let taken = phases[0].taken(x, pool)
            for (index, phase) in phases.enumerated() { phase.run(taken, to: parts.data + index * each) }
            tk_interleave_phases(
                parts.data, shortcut ? x.data : nil, x.channels, x.height, x.width, outputs, y.data)
        }
        return y
    }
}
