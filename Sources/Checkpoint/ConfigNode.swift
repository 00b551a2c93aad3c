import JSON

/// A configuration file as a tree, whether it was JSON or YAML. Looking up what isn't there gives `nil`.
public struct ConfigNode: Sendable, Equatable {
    /// What was read; YAML mappings are objects.
    public let value: JSONValue

    public init(_ value: JSONValue) { self.value = value }

    static let sizeLimit = 1 << 20
    static let depthLimit = 64

    /// Reads a file of at most 1 MiB: JSON where its name ends in `.json` or its first character is `{`, else YAML.
    /// JSON may have `NaN` and infinities, which Python writes; a byte order mark of UTF-8 is skipped.
    ///
    /// - Returns: an object; null for YAML without content.
    public static func load(path: String) throws(CheckpointError) -> ConfigNode {
        let file = try MappedFile(path: path)
        guard file.bytes.count <= sizeLimit else {
            throw .config(path: path, reason: "\(file.bytes.count) bytes; expected at most \(sizeLimit)")
        }
        let bytes = Array(file.bytes)
        let mark = ByteOrderMark(startOf: bytes)
        if let refusal = mark?.refusal { throw .config(path: path, reason: refusal) }
        let text = bytes.dropFirst(mark?.bytes.count ?? 0)
        let isJSON =
            path.hasSuffix(".json") || text.first { $0 > 0x20 } == UInt8(ascii: "{") && !path.hasSuffix(".yaml")
        // With the mark, so that the places in errors are those of the file.
        let node = isJSON ? try json(bytes, path) : try yaml(text, path)
        guard node.value.objectValue != nil || node.isNull && !isJSON else {
            throw .config(path: path, reason: "holds \(node.value.kind); expected an object of settings")
        }
        return node
    }

    private static func json(_ bytes: [UInt8], _ path: String) throws(CheckpointError) -> ConfigNode {
        do {
            return ConfigNode(
                try JSONValue.parse(bytes, maxDepth: depthLimit, extensions: [.byteOrderMark, .nonFiniteNumbers]))
        } catch {
            throw .config(path: path, reason: "JSON \(error)")
        }
    }

    private static func yaml(_ bytes: ArraySlice<UInt8>, _ path: String) throws(CheckpointError) -> ConfigNode {
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

    /// - Parameters:
    ///   - members: those that the model is made by, each with the names of those around it: "model.num_code".
    ///   - prefix: before their names in the message.
    /// - Throws: where one of them, or an element of its list, is infinite or NaN, which no setting may be. One that
    ///   isn't read may be either.
    public func requireFinite(
        _ members: [String], in path: String, prefix: String = ""
    ) throws(CheckpointError) {
        for member in members {
            let node = member.split(separator: ".").reduce(self as ConfigNode?) { $0?[String($1)] }
            for (index, item) in (node?.list ?? node.map { [$0] } ?? []).enumerated() {
                guard let number = item.double, !number.isFinite else { continue }
                let place = prefix + (node?.list == nil ? member : "\(member)[\(index)]")
                let found = number.isNaN ? "NaN" : number > 0 ? "Infinity" : "-Infinity"
                throw .config(path: path, reason: "\(place) is \(found), expected a finite number")
            }
        }
    }
}

extension ConfigNode {
    /// As `load`, for a file that must hold an object. A YAML file without a value holds an empty one.
    public static func loadObject(path: String) throws(CheckpointError) -> ConfigNode {
        let node = try load(path: path)
        return node.isNull ? ConfigNode(.object(JSONObject())) : node
    }
}
