import FilePaths
import Yams

/// A file of settings: one YAML mapping of names to values.
struct SettingsFile {
    struct Entry {
        let name: String
        /// File, line and name, for errors.
        let place: String
        fileprivate let value: Node
    }

    /// Bytes.
    private static let sizeLimit = 1 << 20

    let entries: [Entry]

    /// - Throws: `CommandFailure` or `SettingsError`, with the file's name.
    static func load(_ path: String) throws -> SettingsFile {
        let bytes = try Files.text(Path(path), limit: sizeLimit)
        guard bytes.count <= sizeLimit, let text = String(validating: bytes, as: UTF8.self) else {
            throw SettingsError("\(path): expected UTF-8 of at most \(sizeLimit) bytes")
        }
        return try SettingsFile(text, path: path)
    }

    init(_ text: String, path: String) throws(SettingsError) {
        let root: Node?
        do {
            root = try Parser(yaml: text, resolver: .basic).singleRoot()
        } catch let error as YamlError {
            throw SettingsError("\(path)\(Self.told(error))")
        } catch {
            throw SettingsError("\(path): \(error)")
        }
        switch root {
        // Nothing but comments.
        case nil: entries = []
        case .scalar(let scalar)? where scalar.string.isEmpty: entries = []
        case .mapping(let mapping)?:
            entries = mapping.map { key, value in
                let name = key.string ?? "a key that is not a word"
                return Entry(name: name, place: "\(path)\(Self.line(key.mark)): \(name)", value: value)
            }
        case let other?: throw SettingsError("\(path)\(Self.line(other.mark)): expected NAME: VALUE on each line")
        }
    }

    private static func told(_ error: YamlError) -> String {
        switch error {
        case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
            .composer(let context, let problem, let mark, _):
            return "\(line(mark)): \(context.map { "\($0.text), " } ?? "")\(problem)"
        case .duplicatedKeysInMapping(let names, let context):
            return "\(line(context.mark)): \(names.joined(separator: ", ")) given more than once"
        case .reader(let problem, _, _, _): return ": \(problem)"
        default: return ": can't be read as YAML"
        }
    }

    private static func line(_ mark: Mark?) -> String { mark.map { ", line \($0.line)" } ?? "" }
}

extension SettingsFile.Entry {
    /// The value, or the elements of the list.
    func texts(for kind: Setting.Kind) throws(SettingsError) -> [String] {
        guard kind == .list, case .sequence(let elements) = value else { return [try text(value, kind)] }
        var texts: [String] = []
        for element in elements { texts.append(try text(element, .text)) }
        return texts
    }

    /// A number or a truth value in quotes is a text, and a text without quotes may look like either.
    private func text(_ node: Node, _ kind: Setting.Kind) throws(SettingsError) -> String {
        guard case .scalar(let scalar) = node else {
            throw SettingsError("\(place): found a \(node.sequence == nil ? "mapping" : "list"), expected one value")
        }
        let isPlain = scalar.style == .plain || scalar.style == .any
        switch kind {
        case .integer where !isPlain: throw SettingsError("\(place): found a text in quotes, expected an integer")
        case .bool where !isPlain: throw SettingsError("\(place): found a text in quotes, expected true or false")
        default: break
        }
        guard !isPlain || !["", "~", "null"].contains(scalar.string) else {
            throw SettingsError("\(place): found nothing, expected a value")
        }
        return scalar.string
    }
}
