import Checkpoint
import FilePaths

/// The files of a model in a folder, by the names that their authors publish them under.
struct ModelFolder {
    let path: String
    private let names: [String]

    init(_ path: String) throws(ModelError) {
        self.path = path
        let folder = Path(path)
        guard folder.exists else { throw .folder("\(path): there is no such folder") }
        guard folder.isFolder else { throw .folder("\(path): expected a folder, found a file") }
        do {
            names = try folder.entries().map(\.description)
        } catch {
            throw .folder("\(path): cannot be listed: \(error)")
        }
    }

    /// The file with the weights: `preferred` where it is there, else the only one that looks like weights.
    func weights(preferring preferred: [String]) throws(ModelError) -> String {
        if let name = preferred.first(where: names.contains) { return "\(path)/\(name)" }
        let endings = [".safetensors", ".bin", ".pth", ".pt"]
        let found = names.filter { name in
            endings.contains { name.hasSuffix($0) } && !name.hasPrefix("preprocessor") && !name.hasPrefix(".")
        }
        return try only(found, what: "weights (\(preferred.joined(separator: ", ")), or one *.bin, *.pth, *.pt)")
    }

    /// `config.json`, or the only `*.yaml`.
    func config() throws(ModelError) -> String {
        if names.contains("config.json") { return "\(path)/config.json" }
        let found = names.filter { ($0.hasSuffix(".yaml") || $0.hasSuffix(".yml")) && !$0.hasPrefix(".") }
        return try only(found, what: "configuration (config.json, or one *.yaml)")
    }

    /// ReVQ's means and deviations: `preprocessor.pth`, as the authors publish it, or `preprocessor.safetensors`.
    func preprocessor() throws(ModelError) -> String {
        let known = ["preprocessor.pth", "preprocessor.safetensors"]
        guard let name = known.first(where: names.contains) else {
            throw .folder("\(path): expected \(known.joined(separator: " or ")); found neither")
        }
        return "\(path)/\(name)"
    }

    private func only(_ found: [String], what: String) throws(ModelError) -> String {
        guard found.count == 1 else {
            let state = found.isEmpty ? "none" : found.joined(separator: ", ")
            throw .folder("\(path): expected one file of \(what); found \(state)")
        }
        return "\(path)/\(found[0])"
    }
}
