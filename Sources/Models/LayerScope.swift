import Checkpoint
import Tensor

/// Layers straight from a checkpoint: each checks the names and shapes it needs and says which tensor is wrong. Or,
/// where they were packed before, on what was packed.
struct LayerScope {
    private let tensors: TensorScope
    /// Of the layers that are made from it.
    let arithmetic: Compute.Arithmetic
    private let origin: WeightOrigin
    /// Before the names of this file's layers among those of a model's other files.
    private let part: String

    init(file: CheckpointFile, _ arithmetic: Compute.Arithmetic, _ origin: WeightOrigin = .tensors, part: String = "") {
        self.init(TensorScope(file: file), arithmetic, origin, part)
    }

    private init(
        _ tensors: TensorScope, _ arithmetic: Compute.Arithmetic, _ origin: WeightOrigin, _ part: String
    ) {
        self.tensors = tensors
        self.arithmetic = arithmetic
        self.origin = origin
        self.part = part
    }

    var file: CheckpointFile { tensors.file }
    var prefix: String { tensors.prefix }

    func scope(_ path: String) -> LayerScope { LayerScope(tensors.scope(path), arithmetic, origin, part) }

    /// The same tensors, for layers that compute in float32 whatever the others do.
    var exact: LayerScope { LayerScope(tensors, .float32, origin, part) }

    /// The same tensors, for layers that lose too much by 8 bits.
    var unquantized: LayerScope { LayerScope(tensors, arithmetic.unquantized, origin, part) }

    func has(_ name: String) -> Bool { tensors.has(name) }

    func childIndices(_ path: String = "") -> [Int] { tensors.childIndices(path) }

    /// As `TensorScope.requireSound`, which was so where the model was packed.
    func requireSound(ignoring ignored: [String] = []) throws(CheckpointError) {
        guard origin.readsTensors else { return }
        try tensors.requireSound(ignoring: ignored)
    }

    /// Throws where there are tensors here, packed or not.
    func requireEmpty() throws(CheckpointError) { try tensors.requireSound() }

    /// The shape of tensor `name`, which must have `rank` dimensions, none empty and none absurd, so that sums and
    /// products of them can't overflow.
    func dimensions(_ name: String, rank: Int) throws -> [Int] {
        let shape = try tensors.shape(name)
        guard shape.count == rank, shape.allSatisfy({ (1...1 << 24).contains($0) }) else {
            throw ModelError.structure(
                "\(file.path): tensor '\(prefix)\(name)' has shape \(shape), "
                    + "expected \(rank) dimensions of 1 to 16777216")
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

    /// The layer `name`: on what was packed of it, where the model is packed, else newly made.
    ///
    /// - Parameters:
    ///   - name: no other layer of the model has it. Where there is one, the layer's tensors' own.
    ///   - made: from tensors.
    ///   - mapped: from what was packed; throws `LibraryError` where that doesn't fit.
    func layer<Layer: PackableLayer>(
        _ name: String, made: () throws -> Layer, mapped: (PackedLayer) throws -> Layer
    ) throws -> Layer {
        switch origin {
        case .tensors: return try made()
        case .packing(let packing):
            let layer = try made()
            packing.add(part + prefix + name, layer.packed)
            return layer
        case .packed(let model):
            let full = part + prefix + name
            let packed = try model.layer(full)
            do {
                return try mapped(packed)
            } catch let error as LibraryError where error.isOtherLayout && packed.dependsOnThreads {
                model.add(stranger: full)
                return try made()
            } catch let error as LibraryError {
                throw model.misfit(full, error)
            }
        case .shared(let store):
            let full = part + prefix + name
            let packed = try store.layer(full)
            do {
                return try mapped(packed)
            } catch let error as LibraryError {
                if error.isOtherLayout && packed.dependsOnThreads { return try made() }
                throw ModelError.structure("\(file.path): a second '\(full)' on the first one's memory: \(error)")
            }
        }
    }

    /// The same for numbers that are used as they are.
    func numbers(_ name: String, count: Int, made: () throws -> FloatBuffer) throws -> FloatBuffer {
        switch origin {
        case .tensors: return try made()
        case .packing(let packing):
            let numbers = try made()
            packing.add(part + prefix + name, numbers.packed)
            return numbers
        case .packed(let model):
            let packed = try model.layer(part + prefix + name)
            do throws(LibraryError) {
                return try FloatBuffer(count: count, packed: packed)
            } catch {
                throw model.misfit(part + prefix + name, error)
            }
        case .shared(let store): return try FloatBuffer(count: count, packed: try store.layer(part + prefix + name))
        }
    }

    /// The tensor `name`, to be used as it is.
    func numbers(_ name: String, _ shape: [Int]) throws -> FloatBuffer {
        try numbers(name, count: shape.reduce(1, *)) { try buffer(name, shape) }
    }

    /// As `numbers`, for a tensor that the architecture has only in some places.
    func numbers(_ name: String, _ shape: [Int], isThere: Bool) throws -> FloatBuffer? {
        guard isThere else { return nil }
        return try numbers(name, shape)
    }

    /// The tensor `name`, for a layer to be made from, which must have shape `shape`. Where it is missing or misshapen,
    /// that is recorded for `requireSound` and zeros stand in, so that a wrong file's defects are told together.
    func buffer(_ name: String, _ shape: [Int]) throws(CheckpointError) -> FloatBuffer {
        let full: String
        do {
            full = try tensors.take(name, shape: shape)
        } catch {
            // Where tensors aren't all read, `requireSound` isn't called, so the error can't be recorded for it.
            guard origin.readsTensors, let count = Self.reasonableCount(shape) else { throw error }
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

    /// As `buffer`, for a tensor that the architecture has only in some places.
    private func buffer(_ name: String, _ shape: [Int], isThere: Bool) throws(CheckpointError) -> FloatBuffer? {
        guard isThere else { return nil }
        return try buffer(name, shape)
    }

    /// `name.weight` (outputs, inputs), or (outputs, inputs, 1, 1) where it was a 1x1 convolution, and `name.bias`.
    ///
    /// - Parameter bias: whether the architecture has one here.
    func linear(
        _ name: String, inputs: Int, outputs: Int, pointwise: Bool = false, bias: Bool = true
    ) throws -> Linear {
        try linear(name, inputs: inputs, outputs: outputs) {
            let weight = try buffer(name + ".weight", pointwise ? [outputs, inputs, 1, 1] : [outputs, inputs])
            let bias = try buffer(name + ".bias", [outputs], isThere: bias)
            return try Linear(inputs: inputs, outputs: outputs, weight: weight, bias: bias, arithmetic: arithmetic)
        }
    }

    /// A product in this scope's arithmetic that `made` makes from tensors in a way of its own.
    func linear(_ name: String, inputs: Int, outputs: Int, made: () throws -> Linear) throws -> Linear {
        try layer(name, made: made) {
            try Linear(inputs: inputs, outputs: outputs, packed: $0, arithmetic: arithmetic)
        }
    }

    /// `name.weight` and `name.bias` of a normalisation.
    func affine(_ name: String, width: Int) throws -> Affine {
        Affine(gain: try numbers(name + ".weight", [width]), bias: try numbers(name + ".bias", [width]))
    }

    /// As `affine`, for a normalisation of 32 groups.
    func groupNorm(_ name: String, width: Int) throws -> Affine {
        guard width % 32 == 0 else {
            throw ModelError.structure("\(prefix)\(name).weight: \(width) channels are not a multiple of 32 groups")
        }
        return try affine(name, width: width)
    }

    /// `name.weight` (outputs, inputs, kernel, kernel) and `name.bias`.
    ///
    /// - Parameter bias: whether the architecture has one here.
    func convolution(
        _ name: String, _ shape: Convolution.Shape, bias: Bool = true, activation: Activation = .none,
        accumulate: Bool = false
    ) throws -> Convolution {
        try convolution(name, shape, activation: activation, accumulate: accumulate) {
            let weight = try buffer(name + ".weight", [shape.outputs, shape.inputs, shape.kernel, shape.kernel])
            let bias = try buffer(name + ".bias", [shape.outputs], isThere: bias)
            return try Convolution(
                shape, weight: weight, bias: bias, activation: activation, accumulate: accumulate,
                arithmetic: arithmetic)
        }
    }

    /// One that `made` makes from tensors in a way of its own, of this shape and in this scope's arithmetic.
    func convolution(
        _ name: String, _ shape: Convolution.Shape, activation: Activation = .none, accumulate: Bool = false,
        made: () throws -> Convolution
    ) throws -> Convolution {
        try layer(name, made: made) {
            try Convolution(
                shape, packed: $0, activation: activation, accumulate: accumulate, arithmetic: arithmetic)
        }
    }

    /// `name.weight` (outputs, inputs, 3, 3) and `name.bias`, applied after nearest-neighbour upsampling.
    func upsampling(_ name: String, inputs: Int, outputs: Int, height: Int, width: Int) throws -> UpsamplingConvolution
    {
        try layer(name) {
            let weight = try buffer(name + ".weight", [outputs, inputs, 3, 3])
            let bias = try buffer(name + ".bias", [outputs], isThere: true)
            return try UpsamplingConvolution(
                inputs: inputs, outputs: outputs, height: height, width: width, weight: weight, bias: bias,
                arithmetic: arithmetic)
        } mapped: {
            try UpsamplingConvolution(
                inputs: inputs, outputs: outputs, height: height, width: width, packed: $0, arithmetic: arithmetic)
        }
    }
}
