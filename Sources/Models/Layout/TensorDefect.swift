import Checkpoint

/// What is wrong with one tensor of a set. An expected dimension is `nil` where nothing tells it.
enum TensorDefect: Equatable {
    case missing(String, expected: [Int?])
    case misshapen(String, found: [Int], expected: [Int?])
    case spare(String, found: [Int])
    /// What is missing is there under another name.
    case renamed(String, to: String, found: [Int])
    case unusable(CheckpointError)
    /// Missing tensors that a class or function would have to make.
    case global(String, first: String, count: Int)

    /// - Parameter path: of the file.
    func line(_ path: String) -> String {
        switch self {
        case .missing(let name, let expected):
            "\(path): tensor '\(name)' is missing; expected shape \(Self.text(expected))"
        case .misshapen(let name, let found, let expected):
            "\(path): tensor '\(name)' has shape \(found); expected \(Self.text(expected))"
        case .spare(let name, let found):
            "\(path): spare tensor that the model does not have: '\(name)', of shape \(found)"
        case .renamed(let name, let other, let found):
            "\(path): tensor '\(name)' is missing; expected shape \(found), which the spare tensor '\(other)' has: "
                + "is it the same under another name?"
        case .unusable(let error): "\(error)"
        case .global(let global, let first, let count):
            "\(path): \(Self.text(first, count)) the global '\(global)', which a checkpoint may not use; "
                + Self.advice(global)
        }
    }

    private static func text(_ shape: [Int?]) -> String {
        "[\(shape.map { $0.map(String.init) ?? "any" }.joined(separator: ", "))]"
    }

    private static func text(_ first: String, _ count: Int) -> String {
        switch (first, count) {
        case ("", _): "what it holds needs"
        case (_, 1): "entry '\(first)' needs"
        default: "\(count) entries, the first of which is '\(first)', need"
        }
    }

    /// What to save instead.
    private static func advice(_ global: String) -> String {
        let stateDictionary = "save the state dict: torch.save(model.state_dict(), …)"
        if global.hasPrefix("numpy.") { return "these are NumPy arrays, expected tensors: \(stateDictionary)" }
        if global.hasSuffix("dict") { return "expected a plain dictionary of tensors: \(stateDictionary)" }
        return "expected a dictionary of tensors, not a pickled object: \(stateDictionary)"
    }
}

extension Layout {
    /// Everything that distinguishes the file's tensors from these: at most one defect of a tensor.
    ///
    /// - Parameter isOurs: tells names that belong to the model, if only as spare ones.
    func defects(
        in table: TensorTable, _ sizes: [String: Int], isOurs: (String) -> Bool = { _ in true }
    ) -> [TensorDefect] {
        var defects: [TensorDefect] = []
        var missing: [(name: String, expected: [Int?])] = []
        var known: Set<String> = []
        for (name, shape) in tensors {
            known.insert(name)
            let expected = shape.map { $0.value(sizes) }
            if let found = table.shapes[name] {
                if !Self.fits(found, expected) {
                    defects.append(.misshapen(name, found: found, expected: expected))
                }
            } else if let error = table.unusable[name] {
                defects.append(.unusable(error))
            } else {
                missing.append((name, expected))
            }
        }
        var spare = table.names(under: "").filter { !known.contains($0) }
        let globals = Self.takeGlobals(&missing, table)
        let renamed = Self.takeRenamed(&missing, &spare, table, isOurs)
        return globals + missing.map { .missing($0.name, expected: $0.expected) } + renamed + defects
            + spare.filter(isOurs).map { .spare($0, found: table.shapes[$0] ?? []) }
    }

    private static func fits(_ found: [Int], _ expected: [Int?]) -> Bool {
        found.count == expected.count && zip(found, expected).allSatisfy { $1 == nil ? $0 > 0 : $0 == $1 }
    }

    /// Takes those that a class or a function would have to make: one defect for each of those.
    private static func takeGlobals(
        _ missing: inout [(name: String, expected: [Int?])], _ table: TensorTable
    ) -> [TensorDefect] {
        var places: [String: Set<String>] = [:]
        missing.removeAll { tensor in
            guard let (place, global) = table.global(above: tensor.name) else { return false }
            places[global, default: []].insert(place)
            return true
        }
        return places.sorted { $0.key < $1.key }.map {
            .global($0.key, first: $0.value.min() ?? "", count: $0.value.count)
        }
    }

    /// Takes pairs of a missing tensor and a spare one of its shape in the same place, or the only ones of both kinds.
    private static func takeRenamed(
        _ missing: inout [(name: String, expected: [Int?])], _ spare: inout [String], _ table: TensorTable,
        _ isOurs: (String) -> Bool
    ) -> [TensorDefect] {
        // More are another model's, or made to keep this busy.
        guard spare.count <= 4096 else { return [] }
        var renamed: [TensorDefect] = []
        func take(_ tensor: (name: String, expected: [Int?]), where fits: (String) -> Bool) -> Bool {
            let index = spare.firstIndex { other in
                table.shapes[other].map { Self.fits($0, tensor.expected) } == true && fits(other)
            }
            guard let index else { return false }
            renamed.append(.renamed(tensor.name, to: spare[index], found: table.shapes[spare[index]] ?? []))
            spare.remove(at: index)
            return true
        }
        missing.removeAll { tensor in take(tensor) { isSamePlace(tensor.name, $0) } }
        if missing.count == 1, spare.count(where: isOurs) == 1, take(missing[0], where: isOurs) { missing = [] }
        return renamed
    }

    /// Whether one of a name's components is another, and not a number, or one of the two has one more.
    private static func isSamePlace(_ a: String, _ b: String) -> Bool {
        let (short, long) = a.utf8.count < b.utf8.count ? (a, b) : (b, a)
        let one = short.split(separator: ".", omittingEmptySubsequences: false)
        let two = long.split(separator: ".", omittingEmptySubsequences: false)
        let (fewer, more) = one.count <= two.count ? (one, two) : (two, one)
        guard more.count - fewer.count <= 1 else { return false }
        let front = zip(fewer, more).prefix { $0 == $1 }.count
        let back = zip(fewer.reversed(), more.reversed()).prefix { $0 == $1 }.count
        guard front + back >= fewer.count - (more.count == fewer.count ? 1 : 0) else { return false }
        return more.count > fewer.count || Int(fewer[front]) == nil || Int(more[front]) == nil
    }
}
