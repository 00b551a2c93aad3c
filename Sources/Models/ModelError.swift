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

    public var description: String {
        switch self {
        case .folder(let text), .config(let text), .structure(let text), .packed(let text): text
        }
    }
}
