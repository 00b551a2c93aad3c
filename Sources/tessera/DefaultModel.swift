import FilePaths
import Foundation
import Models

/// The model of a command that names none: that of `TESSERA_MODEL`, else the one that came with the
/// executable, where a build (`Tessera_tessera.resources`) or an installation (`share/tessera`) puts it.
enum DefaultModel {
    /// An environment variable, in the form that `--model` takes.
    static let variable = "TESSERA_MODEL"

    private static let name = "revq-mini"

    /// - Parameter expected: what the user could have given, for the error.
    static func source(expected: String) throws -> ModelSource {
        try source(
            environment: Environment.texts, executable: executable(), exists: { Path($0).isFolder },
            expected: expected)
    }

    /// - Parameters:
    ///   - executable: its absolute path, links resolved; `nil` where that isn't known.
    ///   - exists: whether there is a folder at a path.
    /// - Throws: `ModelError` for a variable that can't be read, `CommandFailure` where there is no model.
    static func source(
        environment: [String: String], executable: String?, exists: (String) -> Bool, expected: String
    ) throws -> ModelSource {
        let texts = ResolvedSettings.elements(environment[variable] ?? "")
        guard texts.count < 2 else {
            throw CommandFailure("\(variable) names \(texts.count) models; expected one, or \(expected)")
        }
        if let text = texts.first { return try ModelSource(parsing: text, from: variable, isFolder: exists) }
        return try builtIn(executable: executable, exists: exists, expected: expected)
    }

    /// The model that came with this executable.
    static func builtIn(expected: String) throws(CommandFailure) -> ModelSource {
        try builtIn(executable: executable(), exists: { Path($0).isFolder }, expected: expected)
    }

    private static func builtIn(
        executable: String?, exists: (String) -> Bool, expected: String
    ) throws(CommandFailure) -> ModelSource {
        let places = executable.map(folders) ?? []
        if let folder = places.first(where: exists) { return ModelSource(id: name, folder: folder) }
        let looked = places.isEmpty ? "this executable's folder is unknown" : "no " + places.joined(separator: ", no ")
        throw CommandFailure("no model: \(variable) is not set, \(looked); expected \(expected)")
    }

    /// The folders in which the model of an executable is looked for, in this order.
    private static func folders(executable: String) -> [String] {
        let binaries = Path(executable).components.dropLast(), prefix = binaries.dropLast()
        // Not Bundle.module: it holds the build's absolute path, and traps where it finds nothing.
        return [
            binaries + ["Tessera_tessera.resources", Path(name)], prefix + ["share", "tessera", Path(name)],
        ].map { Path.joined($0, isAbsolute: true).description }
    }

    private static func executable() -> String? {
        Path("/proc/self/exe").linkTarget?.description
    }
}
