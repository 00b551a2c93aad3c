/// One dimension of a tensor: a number, or made of a size that several tensors share.
struct Dimension: ExpressibleByIntegerLiteral {
    /// `nil` for a number, and where nothing is known yet.
    let size: String?
    private let factor: Int
    private let divisor: Int
    private let isSquared: Bool
    private let plus: Int

    private init(size: String?, factor: Int, divisor: Int, isSquared: Bool, plus: Int) {
        self.size = size
        self.factor = factor
        self.divisor = divisor
        self.isSquared = isSquared
        self.plus = plus
    }

    init(integerLiteral value: Int) { self.init(value) }

    init(_ value: Int) { self.init(size: nil, factor: 0, divisor: 1, isSquared: false, plus: value) }

    /// size * times / over + plus, or size * size + plus.
    static func of(
        _ size: String, times factor: Int = 1, over divisor: Int = 1, isSquared: Bool = false, plus: Int = 0
    ) -> Dimension {
        Dimension(size: size, factor: factor, divisor: divisor, isSquared: isSquared, plus: plus)
    }

    /// A dimension that isn't known yet.
    static let any = Dimension(size: nil, factor: 1, divisor: 1, isSquared: false, plus: 0)

    /// `times` this one.
    func times(_ times: Int) -> Dimension {
        Dimension(size: size, factor: factor * times, divisor: divisor, isSquared: isSquared, plus: plus * times)
    }

    /// The `over`th part of this one.
    func over(_ over: Int) -> Dimension {
        size == nil
            ? Dimension(plus / over)
            : Dimension(size: size, factor: factor, divisor: divisor * over, isSquared: isSquared, plus: plus)
    }

    /// `nil` where the size isn't known.
    func value(_ sizes: [String: Int]) -> Int? {
        guard let size else { return factor == 0 ? plus : nil }
        guard let value = sizes[size] else { return nil }
        return (isSquared ? value * value : value * factor / divisor) + plus
    }

    /// What the size is where this dimension is `found`; `nil` where it can't be that.
    func vote(_ found: Int) -> (size: String, value: Int)? {
        let rest = found - plus
        guard let size, rest > 0, found <= Self.largest else { return nil }
        if isSquared {
            let root = Int(Double(rest).squareRoot())
            return root * root == rest ? (size, root) : nil
        }
        return rest * divisor % factor == 0 ? (size, rest * divisor / factor) : nil
    }

    /// No model's tensor has as much in a dimension; products of such numbers can't overflow.
    private static let largest = 1 << 24
}

/// The tensors of an architecture with their shapes, in sizes that are read off a file's tensors.
///
/// A size is what most of the tensors that depend on it say, so that one which is misshapen is told by the others and
/// not the others by it.
struct Layout {
    private(set) var tensors: [(name: String, shape: [Dimension])] = []

    init() {}

    private init(tensors: [(name: String, shape: [Dimension])]) { self.tensors = tensors }

    mutating func add(_ other: Layout) { tensors += other.tensors }

    func without(_ isLeftOut: (String) -> Bool) -> Layout {
        Layout(tensors: tensors.filter { !isLeftOut($0.name) })
    }

    mutating func add(_ name: String, _ shape: Dimension...) { add(name, shape) }

    mutating func add(_ name: String, _ shape: [Dimension]) { tensors.append((name, shape)) }

    /// `name.weight` and `name.bias` of a normalisation.
    mutating func affine(_ name: String, _ width: Dimension) {
        add(name + ".weight", width)
        add(name + ".bias", width)
    }

    /// `name.weight` (outputs, inputs), or (outputs, inputs, 1, 1) where it was a 1x1 convolution.
    mutating func linear(
        _ name: String, _ outputs: Dimension, _ inputs: Dimension, pointwise: Bool = false, bias: Bool = true
    ) {
        add(name + ".weight", pointwise ? [outputs, inputs, 1, 1] : [outputs, inputs])
        if bias { add(name + ".bias", outputs) }
    }

    /// `name.weight` (outputs, inputs, kernel, kernel).
    mutating func convolution(
        _ name: String, _ outputs: Dimension, _ inputs: Dimension, kernel: Dimension = 3, bias: Bool = true
    ) {
        add(name + ".weight", outputs, inputs, kernel, kernel)
        if bias { add(name + ".bias", outputs) }
    }

    /// - Parameter hints: decide between values that as many tensors speak for: the first one that is among them does.
    ///   Where no tensor says anything, it is the size.
    func sizes(in table: TensorTable, hints: [String: [Int]] = [:]) -> Sizes {
        let all = sizes(said: tensors, table, hints)
        // A tensor that others show to be misshapen is no witness for what it alone says.
        let misshapen = tensors.filter { isMisshapen($0, table, all) }
        let isDecisive = misshapen.contains { tensor in
            tensor.shape.contains { $0.size.map { (all.witnesses[$0]?.count ?? 0) <= 2 } ?? false }
        }
        let names = Set(misshapen.map(\.name))
        var sizes = isDecisive ? sizes(said: tensors.filter { !names.contains($0.name) }, table, hints) : all
        for (size, hints) in hints where sizes[size] == nil { sizes.values[size] = hints.first }
        return sizes
    }

    private func sizes(
        said tensors: [(name: String, shape: [Dimension])], _ table: TensorTable, _ hints: [String: [Int]]
    ) -> Sizes {
        var votes: [String: [Int: Int]] = [:]
        var witnesses: [String: Set<String>] = [:]
        for (name, shape) in tensors {
            guard let found = table.shapes[name], found.count == shape.count else { continue }
            for (dimension, found) in zip(shape, found) {
                guard let (size, value) = dimension.vote(found) else { continue }
                votes[size, default: [:]][value, default: 0] += 1
                witnesses[size, default: []].insert(name)
            }
        }
        let values = votes.reduce(into: [String: Int]()) { values, vote in
            let most = vote.value.values.max() ?? 0
            let best = vote.value.filter { $0.value == most }.keys.sorted()
            values[vote.key] = hints[vote.key, default: []].first(where: best.contains) ?? best.first
        }
        return Sizes(values: values, witnesses: witnesses)
    }

    /// Whether a dimension is not what it is in every model, or not what at least two tensors say.
    private func isMisshapen(
        _ tensor: (name: String, shape: [Dimension]), _ table: TensorTable, _ sizes: Sizes
    ) -> Bool {
        guard let found = table.shapes[tensor.name], found.count == tensor.shape.count else { return false }
        return zip(tensor.shape, found).contains { dimension, found in
            guard let value = dimension.value(sizes.values), value != found else { return false }
            return dimension.size.map { (sizes.witnesses[$0]?.count ?? 0) > 1 } ?? true
        }
    }
}

/// Sizes as tensors say them.
struct Sizes {
    var values: [String: Int]
    /// The tensors that a size was read off.
    let witnesses: [String: Set<String>]

    subscript(size: String) -> Int? { values[size] }
}
