import Checkpoint
import Tensor

/// Layers straight from a checkpoint: each checks the names and shapes it needs and says which tensor is wrong.
struct LayerScope {
    private let tensors: TensorScope
    /// Of the layers that are made from it.
    let arithmetic: Compute.Arithmetic

    init(file: CheckpointFile, _ arithmetic: Compute.Arithmetic) {
        self.init(TensorScope(file: file), arithmetic)
    }

    private init(_ tensors: TensorScope, _ arithmetic: Compute.Arithmetic) {
        self.tensors = tensors
        self.arithmetic = arithmetic
    }

    var file: CheckpointFile { tensors.file }
    var prefix: String { tensors.prefix }

    func scope(_ path: String) -> LayerScope { LayerScope(tensors.scope(path), arithmetic) }

    /// The same tensors, for layers that compute in float32 whatever the others do.
    var exact: LayerScope { LayerScope(tensors, .float32) }

    /// The same tensors, for layers that lose too much by 8 bits.
    var unquantized: LayerScope { LayerScope(tensors, arithmetic.unquantized) }

    func has(_ name: String) -> Bool { tensors.has(name) }

    func childIndices(_ path: String = "") -> [Int] { tensors.childIndices(path) }

    func requireSound(ignoring ignored: [String] = []) throws(CheckpointError) {
        try tensors.requireSound(ignoring: ignored)
    }

    /// The shape of tensor `name`, which must have `rank` dimensions, none empty and none absurd, so that sums and
    /// products of them can't overflow.
    func dimensions(_ name: String, rank: Int) throws -> [Int] {
        let shape = try tensors.shape(name)
        guard shape.count == rank, shape.allSatisfy({ (1...1 << 24).contains($0) }) else {
            throw ModelError.structure(
                "\(file.path): tensor '\(prefix)\(name)' has shape \(shape), expected \(rank) dimensions of 1 to 16777216"
            )
        }
        return shape
    }

    /// The numbers under `path`, which must run from `first` without a gap, so that no block can be lost unnoticed.
    func blockIndices(_ path: String, from first: Int = 0) throws -> [Int] {
        let found = childIndices(path)
        guard found == Array(first..<first + found.count) else {
            throw ModelError.structure(
                "\(file.path): '\(prefix)\(path)' must be numbered from \(first) without a gap, found \(found)")
        }
        return found
    }

    /// The tensor `name`, which must have shape `shape`. Where it is missing or misshapen, that is recorded for
    /// `requireSound` and zeros stand in, so that a wrong file's defects are told together.
    func buffer(_ name: String, _ shape: [Int]) throws(CheckpointError) -> FloatBuffer {
        let full: String
        do {
            full = try tensors.take(name, shape: shape)
        } catch {
            guard let count = Self.reasonableCount(shape) else { throw error }
            tensors.record(error)
            let zeros = FloatBuffer(count: count)
            zeros.buffer.update(repeating: 0)
            return zeros
        }
        let buffer = FloatBuffer(count: shape.reduce(1, *))
        try file.readFiniteFloats(full, into: buffer.buffer)
        return buffer
    }

    /// Elements of a shape that no file vouches for; `nil` where it is more than any model's tensor has.
    private static func reasonableCount(_ shape: [Int]) -> Int? {
        var count = 1
        for size in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: size)
            guard !overflow, product <= 1 << 26 else { return nil }
            count = product
        }
        return count
    }

    func bufferIfPresent(_ name: String, _ shape: [Int]) throws(CheckpointError) -> FloatBuffer? {
        guard has(name) else { return nil }
        return try buffer(name, shape)
    }

    /// `name.weight` (outputs, inputs), or (outputs, inputs, 1, 1) where it was a 1x1 convolution; `name.bias` if there.
    func linear(_ name: String, inputs: Int, outputs: Int, pointwise: Bool = false) throws -> Linear {
        let shape = pointwise ? [outputs, inputs, 1, 1] : [outputs, inputs]
        let weight = try buffer(name + ".weight", shape)
        let bias = try bufferIfPresent(name + ".bias", [outputs])
        return try Linear(inputs: inputs, outputs: outputs, weight: weight, bias: bias, arithmetic: arithmetic)
    }

    /// `name.weight` and `name.bias` of a normalisation.
    func affine(_ name: String, width: Int) throws(CheckpointError) -> Affine {
        Affine(gain: try buffer(name + ".weight", [width]), bias: try buffer(name + ".bias", [width]))
    }

    /// As `affine`, for a normalisation of 32 groups.
    func groupNorm(_ name: String, width: Int) throws -> Affine {
        guard width % 32 == 0 else {
            throw ModelError.structure("\(prefix)\(name).weight: \(width) channels are not a multiple of 32 groups")
        }
        return try affine(name, width: width)
    }

    /// `name.weight` (outputs, inputs, kernel, kernel) and `name.bias` if there.
    func convolution(
        _ name: String, _ shape: Convolution.Shape, activation: Activation = .none, accumulate: Bool = false
    ) throws -> Convolution {
        let weight = try buffer(name + ".weight", [shape.outputs, shape.inputs, shape.kernel, shape.kernel])
        let bias = try bufferIfPresent(name + ".bias", [shape.outputs])
        return try Convolution(
            shape, weight: weight, bias: bias, activation: activation, accumulate: accumulate, arithmetic: arithmetic)
    }

    /// `name.weight` (outputs, inputs, 3, 3) applied after nearest-neighbour upsampling.
    func upsampling(_ name: String, inputs: Int, outputs: Int, height: Int, width: Int) throws -> UpsamplingConvolution
    {
        let weight = try buffer(name + ".weight", [outputs, inputs, 3, 3])
        let bias = try bufferIfPresent(name + ".bias", [outputs])
        return try UpsamplingConvolution(
            inputs: inputs, outputs: outputs, height: height, width: width, weight: weight, bias: bias,
            arithmetic: arithmetic)
    }
}
