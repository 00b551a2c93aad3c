import Checkpoint

/// What training code puts before all names of a state dict: `torch.compile`, `DistributedDataParallel`, or a
/// dictionary around it.
enum Wrapping {
    private static let words: Set<Substring> = ["module", "_orig_mod", "state_dict", "model"]

    /// The file without such a prefix, and a line that says so; the file itself where most of a model's names have
    /// none.
    ///
    /// - Parameter roots: first components of the model's names. A ReVQ model's two parts may be wrapped each.
    static func removed(
        from file: CheckpointFile, roots: Set<String>
    ) throws(CheckpointError) -> (file: CheckpointFile, note: String?) {
        var prefixes: [String: String] = [:]
        if let outer = prefix(of: file.names, roots) { prefixes[""] = outer }
        var found = try file.renamed(removing: prefixes[""] ?? "", after: "")
        for (part, roots) in Self.parts where file.names.contains(where: { $0.contains(part) }) {
            let names = found.names.compactMap { $0.hasPrefix(part) ? String($0.dropFirst(part.count)) : nil }
            guard let inner = prefix(of: names, roots) else { continue }
            prefixes[part] = inner
            found = try found.renamed(removing: inner, after: part)
        }
        guard !prefixes.isEmpty else { return (file, nil) }
        let told = prefixes.sorted { $0.key < $1.key }.map { part, prefix in
            "'\(prefix)'" + (part.isEmpty ? "" : " after '\(part)'")
        }
        return (found, "\(file.path): names begin with \(told.joined(separator: ", ")), which is left out")
    }

    private static let parts: [(String, Set<String>)] = [
        ("quantizer.", ["embeddings"]), ("decoder.", ["conv_in", "up_blocks", "norm_out", "conv_out"]),
    ]

    /// The prefix that most of the names with those roots have; `nil` where that is none.
    private static func prefix(of names: some Sequence<String>, _ roots: Set<String>) -> String? {
        var counts: [String: Int] = [:]
        for name in names {
            var rest = Substring(name)
            while let dot = rest.firstIndex(of: "."), words.contains(rest[..<dot]) {
                rest = rest[rest.index(after: dot)...]
            }
            guard roots.contains(String(rest.prefix { $0 != "." })) else { continue }
            counts[String(name.dropLast(rest.count)), default: 0] += 1
        }
        // Of two as frequent the first by name, which is the empty one where there is that.
        let most = counts.max { ($0.value, $1.key) < ($1.value, $0.key) }?.key
        return most == "" ? nil : most
    }
}

extension CheckpointFile {
    fileprivate func renamed(removing prefix: String, after part: String) throws(CheckpointError) -> CheckpointFile {
        guard !prefix.isEmpty else { return self }
        let whole = part + prefix
        return try renamed { $0.hasPrefix(whole) ? part + $0.dropFirst(whole.count) : $0 }
    }
}
