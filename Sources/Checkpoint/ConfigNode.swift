import JSON

/// A configuration file as a tree, whether it was JSON or YAML. Looking up what isn't there gives `nil`.
public struct ConfigNode: Sendable, Equatable {
    /// What was read; YAML mappings are objects.
    public let value: JSONValue

    public init(_ value: JSONValue) { self.value = value }

    static let sizeLimit = 1 << 20
    static let depthLimit = 64

    /// Reads a file of at most 1 MiB: JSON where its name ends in `.json` or its first character is `{`, else YAML.
    public static func load(path: String) throws(CheckpointError) -> ConfigNode {
        let file = try MappedFile(path: path)
        guard file.bytes.count <= sizeLimit else {
            throw .config(path: path, reason: "\(file.bytes.count) bytes; expected at most \(sizeLimit)")
        }
        let bytes = Array(file.bytes)
        let first = bytes.first { $0 > 0x20 }
        if path.hasSuffix(".json") || first == UInt8(ascii: "{") && !path.hasSuffix(".yaml") {
            do {
                return ConfigNode(try JSONValue.parse(bytes, maxDepth: depthLimit))
            } catch {
                throw .config(path: path, reason: "JSON \(error)")
            }
        }
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw .config(path: path, reason: "not UTF-8")
        }
        do {
            return ConfigNode(try parseYAML(text))
        } catch {
            throw .config(path: path, reason: "YAML \(error)")
        }
    }

    /// One document of YAML.
    ///
    /// - Throws: a description of what is wrong with it, and of the line.
    package static func yaml(_ text: String) throws -> ConfigNode { ConfigNode(try parseYAML(text)) }

    public subscript(name: String) -> ConfigNode? { value[name].map(ConfigNode.init) }

    public var isNull: Bool { value.isNull }
    public var bool: Bool? { value.boolValue }
    public var string: String? { value.stringValue }
    public var double: Double? { value.doubleValue }

    /// A whole number, `8.0` included.
    public var int: Int? { value.intValue ?? value.doubleValue.flatMap { Int(exactly: $0) } }

    public var list: [ConfigNode]? { value.arrayValue?.map(ConfigNode.init) }
}
