import Checkpoint

/// Why a model folder can't be loaded. One clear line each.
public enum ModelError: Error, Sendable, CustomStringConvertible {
    /// A file or a folder that should be there isn't, or there are too many to choose from.
    case folder(String)
    /// A configuration says what no model here can do.
    case config(String)
    /// Tensors don't make up a model that is known.
    case structure(String)
    /// Packed weights are for something else than what is loaded.
    case packed(String)
    /// What is wrong with the tensors of a model, or with a configuration beside them: a line for each, at least one.
    case defects([String])

    public var description: String {
        switch self {
        case .folder(let text), .config(let text), .structure(let text), .packed(let text): text.singleLine
        case .defects(let lines):
            (lines.count > 1
                ? "\(lines[0]) (and \(lines.count - 1) more; 'tessera inspect' lists them)"
                : lines.first ?? "no defect")
                .singleLine
        }
    }
}
