import JSON
import TokenService

/// The settings in force, and where each comes from.
struct ResolvedSettings: Sendable {
    enum Source: Sendable, Equatable, CustomStringConvertible {
        case flag, file
        case environment(String)
        case standard

        var description: String {
            switch self {
            case .flag: "flag"
            case .file: "file"
            case .environment(let name): "environment \(name)"
            case .standard: "default"
            }
        }
    }

    private(set) var settings = ServeSettings()
    /// By the setting's name.
    private(set) var sources: [String: Source] = [:]

    /// Flags come before the environment, the environment before the file, the file before the defaults. Of the
    /// environment only the settings' own variables count, and empty ones don't: Kubernetes, for one, puts
    /// `TESSERA_PORT` and others there for a Service of that name.
    ///
    /// - Throws: `SettingsError` that names the place, what was found and what was expected.
    init(
        flags: ServeOptions, environment: [String: String] = [:], file: SettingsFile? = nil
    ) throws(SettingsError) {
        if let unknown = file?.entries.first(where: { entry in !Setting.all.contains { $0.name == entry.name } }) {
            let known = Setting.all.map(\.name).joined(separator: ", ")
            throw SettingsError("\(unknown.place): there is no such setting; expected one of \(known)")
        }
        for setting in Setting.all {
            if let entry = file?.entries.first(where: { $0.name == setting.name }) {
                try store(entry.texts(for: setting.kind), setting, .file, at: entry.place)
            }
            if let text = environment[setting.variable], !text.isEmpty {
                let values = setting.kind == .list ? Self.elements(text) : [text]
                try store(values, setting, .environment(setting.variable), at: setting.variable)
            }
            if let values = flags.values[setting.name] { try store(values, setting, .flag, at: setting.flag) }
        }
    }

    /// The elements of a list in an environment variable: between line feeds or semicolons, as commas belong to models.
    static func elements(_ text: String) -> [String] {
        text.split { $0.isNewline || $0 == ";" }.map { $0.trimming { $0 == " " || $0 == "\t" } }.filter { !$0.isEmpty }
    }

    private mutating func store(
        _ values: [String], _ setting: Setting, _ source: Source, at place: String
    ) throws(SettingsError) {
        do throws(Setting.Expected) {
            try setting.store(&settings, values)
        } catch {
            throw SettingsError("\(place): \(error.description)")
        }
        sources[setting.name] = source
    }

    /// A file that `--config` reads back to the same settings.
    ///
    /// - Parameter secrets: names of variables that are set and not shown.
    func yaml(file: String? = nil, secrets: [String] = []) -> String {
        var text = "# The settings of tessera \(TokenService.version), each with where it comes from"
        text += file.map { "; the file is \(JSONValue.string($0))\n" } ?? "\n"
        for setting in Setting.all {
            let origin = "\(sources[setting.name] ?? .standard)"
            if let values = setting.read(settings) {
                text += "\(setting.name): \(Self.value(values, setting.kind))  # \(origin)\n"
            } else {
                text += "# \(setting.name): not set: \(setting.otherwise ?? "none")  # \(origin)\n"
            }
        }
        for name in secrets { text += "# \(name): set, not shown  # environment \(name)\n" }
        return text
    }

    /// JSON, which YAML has as its flow style.
    private static func value(_ values: [String], _ kind: Setting.Kind) -> String {
        switch kind {
        case .list: return "[\(values.map { "\(JSONValue.string($0))" }.joined(separator: ", "))]"
        case .text, .choice: return values.map { "\(JSONValue.string($0))" }.joined()
        case .integer, .bool: return values.joined()
        }
    }
}

extension StringProtocol {
    /// Without the characters at both ends that `isTrimmed` holds for.
    fileprivate func trimming(_ isTrimmed: (Character) -> Bool) -> String {
        let start = drop(while: isTrimmed)
        guard let last = start.lastIndex(where: { !isTrimmed($0) }) else { return "" }
        return String(start[...last])
    }
}

/// A setting that can't be.
struct SettingsError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
