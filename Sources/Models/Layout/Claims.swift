import Checkpoint

/// A part of a model's configuration: what is there must be of its type, what isn't says nothing.
struct ConfigSection {
    let path: String
    /// Before names in messages; empty, or with a dot at its end.
    private let prefix: String
    private let node: ConfigNode?

    /// Of the whole file, which must hold an object.
    init(path: String) throws(CheckpointError) {
        self.init(try ConfigNode.loadObject(path: path), at: path)
    }

    init(_ node: ConfigNode, at path: String) { self.init(node, path, "") }

    private init(_ node: ConfigNode?, _ path: String, _ prefix: String) {
        self.node = node
        self.path = path
        self.prefix = prefix
    }

    func full(_ name: String) -> String { prefix + name }

    /// Whether a member is there that isn't null.
    func has(_ name: String) -> Bool { value(name) != nil }

    private func value(_ name: String) -> ConfigNode? { node?[name].flatMap { $0.isNull ? nil : $0 } }

    /// - Throws: where it is, or holds, a number that isn't finite, which no setting may be.
    private func finite(_ name: String) throws(ModelError) -> ConfigNode? {
        guard let value = value(name) else { return nil }
        do throws(CheckpointError) {
            try node?.requireFinite([name], in: path, prefix: prefix)
        } catch {
            throw .config("\(error)")
        }
        return value
    }

    func section(_ name: String) throws(ModelError) -> ConfigSection {
        let value = value(name)
        if let value, value.value.objectValue == nil { throw unfit(name, value, "an object") }
        return ConfigSection(value, path, prefix + name + ".")
    }

    func int(_ name: String) throws(ModelError) -> Int? { try typed(name, \.int, "an integer") }
    func double(_ name: String) throws(ModelError) -> Double? { try typed(name, \.double, "a number") }
    func bool(_ name: String) throws(ModelError) -> Bool? { try typed(name, \.bool, "true or false") }
    func word(_ name: String) throws(ModelError) -> String? { try typed(name, \.string, "a word") }

    /// A list of integers, or one that stands for all.
    func ints(_ name: String) throws(ModelError) -> PerStage<Int>? {
        try perStage(name, \.int, "integers")
    }

    /// A list of words, or one that stands for all.
    func words(_ name: String) throws(ModelError) -> PerStage<String>? {
        try perStage(name, \.string, "words")
    }

    /// A list of lists of integers.
    func intLists(_ name: String) throws(ModelError) -> PerStage<[Int]>? {
        guard let value = try finite(name) else { return nil }
        let lists = value.list?.map { $0.list?.map(\.int) }
        guard let lists, lists.allSatisfy({ $0?.contains(nil) == false }) else {
            throw unfit(name, value, "a list of lists of integers")
        }
        return .each(lists.map { $0?.compactMap(\.self) ?? [] })
    }

    private func perStage<Value>(
        _ name: String, _ type: KeyPath<ConfigNode, Value?>, _ kind: String
    ) throws(ModelError) -> PerStage<Value>? {
        guard let value = try finite(name) else { return nil }
        if let one = value[keyPath: type] { return .all(one) }
        let items = value.list?.map { $0[keyPath: type] }
        guard let items, !items.contains(where: { $0 == nil }) else { throw unfit(name, value, "a list of \(kind)") }
        return .each(items.compactMap(\.self))
    }

    private func typed<Value>(
        _ name: String, _ type: KeyPath<ConfigNode, Value?>, _ expected: String
    ) throws(ModelError) -> Value? {
        guard let value = try finite(name) else { return nil }
        guard let typed = value[keyPath: type] else { throw unfit(name, value, expected) }
        return typed
    }

    private func unfit(_ name: String, _ value: ConfigNode, _ expected: String) -> ModelError {
        .config("\(path): \(full(name)) is \(value.value), expected \(expected)")
    }
}

/// A setting of the stages of a network.
enum PerStage<Value> {
    case all(Value)
    case each([Value])

    /// `nil` for a stage that a list doesn't reach.
    func of(_ stage: Int) -> Value? {
        switch self {
        case .all(let value): value
        case .each(let values): values.indices.contains(stage) ? values[stage] : nil
        }
    }

    /// Stages of a list.
    var count: Int? {
        switch self {
        case .all: nil
        case .each(let values): values.count
        }
    }
}

/// What a configuration says that the tensors contradict: the file is cut, or another model's.
struct Claims {
    private struct Claim {
        let claimed: String
        let actual: String
        /// The only tensor that says so.
        let witness: String?
    }

    private let path: String
    private let table: TensorTable
    private var contradicted: [Claim] = []

    /// - Parameters:
    ///   - path: of the configuration.
    ///   - table: of the weights.
    init(_ path: String, _ table: TensorTable) {
        self.path = path
        self.table = table
    }

    /// Notes a claim that is there and differs from what is there.
    mutating func compare(_ name: String, _ claimed: String?, _ actual: String?, witness: String? = nil) {
        guard let claimed, let actual, claimed != actual else { return }
        contradicted.append(Claim(claimed: "\(name) is \(claimed)", actual: actual, witness: witness))
    }

    /// The same for a size that tensors share.
    mutating func compare(_ name: String, _ claimed: Int?, _ size: String, _ sizes: Sizes) {
        let witnesses = sizes.witnesses[size] ?? []
        guard !witnesses.isEmpty else { return }
        compare(
            name, claimed.map(String.init), sizes[size].map(String.init),
            witness: witnesses.count == 1 ? witnesses.first : nil)
    }

    /// One line for each; those that a single tensor contradicts share one.
    var lines: [String] {
        var lines: [String] = []
        var told: Set<String> = []
        for claim in contradicted {
            guard let witness = claim.witness else {
                lines.append(line(claim.claimed, "the tensors of \(table.path) say \(claim.actual)"))
                continue
            }
            guard told.insert(witness).inserted else { continue }
            let all = contradicted.filter { $0.witness == witness }.map(\.claimed).joined(separator: ", ")
            let shape = table.shapes[witness].map { " of shape \($0)" } ?? ""
            lines.append(line(all, "tensor '\(witness)'\(shape) of \(table.path) says \(claim.actual)"))
        }
        return lines
    }

    private func line(_ claimed: String, _ actual: String) -> String {
        "\(path): \(claimed), but \(actual): the file is cut or another model's"
    }
}
