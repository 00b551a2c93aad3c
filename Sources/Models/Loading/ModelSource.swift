import FilePaths
import TokenizerCore

/// Where a model's files are and how it computes:
/// `ID=FOLDER[,vae=FOLDER][,preprocessor=FILE][,precision=fp32|bf16|int8]`.
public struct ModelSource: Sendable, Hashable {
    /// What requests call it: letters, digits, `.`, `_` and `-`.
    public var id: String
    /// In the text form of `Path`, as the other two.
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

    /// Reads the form above; a bare `FOLDER` gets its last path component as id. What stands before the first comma is
    /// a folder as a whole where there is one of that name, or where a slash stands before its first equals sign; else
    /// it is the id up to that sign and the folder behind it.
    ///
    /// An id that is taken from a folder's name is cut to 128 characters, with '-' for each that no id has.
    ///
    /// - Parameter origin: what the text was given as, for errors.
    public init(parsing text: String, from origin: String = "--model") throws(ModelError) {
        try self.init(parsing: text, from: origin, isFolder: Self.isFolder)
    }

    /// - Parameter isFolder: whether there is a folder at a path.
    package init(parsing text: String, from origin: String, isFolder: (String) -> Bool) throws(ModelError) {
        var parts = text.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
        let first = parts.removeFirst()
        // A folder's own name may hold an equals sign, as the authors' "512T_NC=16384" does; an id has no slash.
        let equals = first.firstIndex(of: "="), behind = equals.map { first[first.index(after: $0)...] } ?? ""
        if let equals, !first[..<equals].contains("/"), behind.isEmpty || !isFolder(first) {
            id = String(first[..<equals])
            folder = String(behind)
        } else {
            folder = first
            let name = String(decoding: Path(first).name.bytes, as: UTF8.self)
            id = String(
                name.map { $0.utf8.count == 1 && $0.utf8.allSatisfy(Self.isNameByte) ? $0 : "-" }.prefix(Self.longestID)
            )
        }
        guard !folder.isEmpty else { throw .config("\(origin) \(text): expected ID=FOLDER, found no folder") }
        let allowed = !id.isEmpty && id.utf8.count <= Self.longestID && id.utf8.allSatisfy(Self.isNameByte)
        guard allowed else {
            throw .config(
                "\(origin) \(text): the id '\(id)' is not made of letters, digits, '.', '_' and '-', "
                    + "\(Self.longestID) at most")
        }
        do throws(OptionError) {
            try take(options: parts)
        } catch {
            throw .config("\(origin) \(text): \(error.description)")
        }
    }

    private struct OptionError: Error {
        let description: String
    }

    /// What follows the folder, each `NAME=VALUE`.
    private mutating func take(options: [String]) throws(OptionError) {
        var given: [String: String] = [:]
        for option in options {
            let pair = option.split(separator: "=", maxSplits: 1).map(String.init)
            guard pair.count == 2, ["vae", "preprocessor", "precision"].contains(pair[0]) else {
                throw OptionError(
                    description: "'\(option)' is not one of vae=FOLDER, preprocessor=FILE, precision=\(Self.precisions)"
                )
            }
            let (name, value) = (pair[0], pair[1])
            if let before = given.updateValue(value, forKey: name) {
                throw OptionError(description: "\(name) is given twice, as '\(before)' and '\(value)'; expected once")
            }
            switch name {
            case "vae": vae = value
            case "preprocessor": preprocessor = value
            default:
                precision = Precision(rawValue: value)
                guard precision == nil else { continue }
                throw OptionError(
                    description: "precision '\(value)' is not available; expected \(Self.precisions)")
            }
        }
    }

    private static func isFolder(_ path: String) -> Bool { Path(path).isFolder }

    private static let longestID = 128
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
