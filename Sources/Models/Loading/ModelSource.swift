import TokenizerCore

/// Where a model's files are and how it computes: `ID=FOLDER[,vae=FOLDER][,preprocessor=FILE][,precision=fp32|bf16|int8]`.
public struct ModelSource: Sendable, Hashable {
    /// What requests call it: letters, digits, `.`, `_` and `-`.
    public var id: String
    public var folder: String
    /// ReVQ: the DC-AE's folder; `nil`: `vae` in `folder`.
    public var vae: String?
    /// ReVQ: the file of means and deviations; `nil`: `preprocessor.pth` or `preprocessor.safetensors` in `folder`.
    public var preprocessor: String?
    /// What is asked for; `nil`: `fp32`. A processor that lacks the instructions computes in the next better one.
    public var precision: Precision?

    public init(
        id: String, folder: String, vae: String? = nil, preprocessor: String? = nil, precision: Precision? = nil
    ) {
        self.id = id
        self.folder = folder
        self.vae = vae
        self.preprocessor = preprocessor
        self.precision = precision
    }

    /// Reads the form above; a bare `FOLDER` gets its last path component as id.
    ///
    /// - Parameter origin: what the text was given as, for errors.
    public init(parsing text: String, from origin: String = "--model") throws(ModelError) {
        var parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        let first = parts.removeFirst()
        // A folder's own name may hold an equals sign, as the authors' "512T_NC=16384" does: an id has no slash.
        if let equals = first.firstIndex(of: "="), !first[..<equals].contains("/") {
            id = String(first[..<equals])
            folder = String(first[first.index(after: equals)...])
        } else {
            folder = first
            let name = first.split(separator: "/").last.map(String.init) ?? ""
            id = String(name.map { $0.utf8.count == 1 && $0.utf8.allSatisfy(Self.isNameByte) ? $0 : "-" })
        }
        guard !folder.isEmpty else { throw .config("\(origin) \(text): expected ID=FOLDER, found no folder") }
        let allowed = !id.isEmpty && id.utf8.count <= 128 && id.utf8.allSatisfy(Self.isNameByte)
        guard allowed else {
            throw .config("\(origin) \(text): the id '\(id)' is not made of letters, digits, '.', '_' and '-'")
        }
        for part in parts {
            let pair = part.split(separator: "=", maxSplits: 1).map(String.init)
            switch (pair.first, pair.count) {
            case ("vae", 2) where vae == nil: vae = pair[1]
            case ("preprocessor", 2) where preprocessor == nil: preprocessor = pair[1]
            case ("precision", 2) where precision == nil:
                precision = Precision(rawValue: pair[1])
                guard precision == nil else { break }
                throw .config("\(origin) \(text): precision '\(pair[1])' is not available; expected \(Self.precisions)")
            default:
                throw .config(
                    "\(origin) \(text): '\(part)' is not one of vae=FOLDER, preprocessor=FILE, precision=\(Self.precisions), each "
                        + "once"
                )
            }
        }
    }

    private static let precisions = Precision.allCases.map(\.rawValue).joined(separator: "|")

    /// What ids and names of models are made of: letters, digits, '.', '_' and '-' of ASCII.
    package static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}
