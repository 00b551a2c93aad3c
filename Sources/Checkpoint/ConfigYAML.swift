import JSON
import Yams

/// Why a YAML text isn't a configuration.
struct YAMLError: Error, CustomStringConvertible {
    let description: String
}

extension ConfigNode {
    /// One document of YAML, scalars typed by the core schema (YAML 1.2.2, 10.3.2).
    ///
    /// Aliases are limited in number and in what they expand to; tags beyond those of the schema are refused.
    static func parseYAML(_ text: String) throws(YAMLError) -> JSONValue {
        // The library compares and hashes keys with their aliases expanded, which a count bounds beforehand.
        guard aliasCount(text) <= 16 else { throw YAMLError(description: "with more than 16 aliases") }
        let root: Node?
        do {
            root = try Parser(yaml: text, resolver: .basic).singleRoot()
        } catch {
            throw YAMLError(description: firstLine("\(error)"))
        }
        guard let root else { return .null }
        var converter = YAMLConverter()
        return try converter.convert(root, depth: 0)
    }

    /// An upper bound: asterisks where an alias may begin, in quotes and comments too.
    private static func aliasCount(_ text: String) -> Int {
        var count = 0
        var before = UInt8(ascii: " ")
        for byte in text.utf8 {
            if before == UInt8(ascii: "*"), byte > 0x20, byte != UInt8(ascii: "*") { count += 1 }
            before = byte
        }
        return count
    }

    private static func firstLine(_ text: String) -> String {
        text.split(whereSeparator: \.isNewline).map { $0.trimmingPrefix { $0 == " " } }
            .filter { !$0.allSatisfy { $0 == "^" } }.joined(separator: " ")
    }
}

private struct YAMLConverter {
    private var nodesLeft = 100_000

    mutating func convert(_ node: Node, depth: Int) throws(YAMLError) -> JSONValue {
        guard depth < ConfigNode.depthLimit else {
            throw YAMLError(description: "nested deeper than \(ConfigNode.depthLimit) levels\(place(node))")
        }
        guard nodesLeft > 0 else { throw YAMLError(description: "with more than 100000 values") }
        nodesLeft -= 1
        switch node {
        case .scalar(let scalar): return try convert(scalar, place(node))
        case .sequence(let sequence):
            try check(sequence.tag, ["", "!", "tag:yaml.org,2002:seq"], place(node))
            var elements: [JSONValue] = []
            for element in sequence { elements.append(try convert(element, depth: depth + 1)) }
            return .array(elements)
        case .mapping(let mapping):
            try check(mapping.tag, ["", "!", "tag:yaml.org,2002:map"], place(node))
            var object = JSONObject()
            for (key, value) in mapping {
                guard case .scalar(let name) = key else {
                    throw YAMLError(description: "key that is not a scalar\(place(key))")
                }
                guard object[name.string] == nil else {
                    throw YAMLError(description: "key '\(name.string)' is repeated\(place(key))")
                }
                object[name.string] = try convert(value, depth: depth + 1)
            }
            return .object(object)
        case .alias(let alias):
            throw YAMLError(description: "alias '\(alias.anchor.rawValue)' without its anchor")
        }
    }

    private func place(_ node: Node) -> String { node.mark.map { " at line \($0.line)" } ?? "" }

    private func check(_ tag: Tag, _ allowed: Set<String>, _ place: String) throws(YAMLError) {
        guard allowed.contains(tag.rawValue) else {
            throw YAMLError(description: "tag '\(tag.rawValue)' is not allowed\(place)")
        }
    }

    private func convert(_ scalar: Node.Scalar, _ place: String) throws(YAMLError) -> JSONValue {
        let text = scalar.string
        let resolved = YAMLScalar.resolve(text)
        switch scalar.tag.rawValue {
        case "tag:yaml.org,2002:str", "!": return .string(text)
        case "": return scalar.style == .any || scalar.style == .plain ? resolved : .string(text)
        case "tag:yaml.org,2002:float" where resolved.doubleValue != nil:
            return .number(resolved.doubleValue ?? 0)
        case "tag:yaml.org,2002:int" where resolved.intValue != nil: return resolved
        case "tag:yaml.org,2002:bool" where resolved.boolValue != nil: return resolved
        case "tag:yaml.org,2002:null" where resolved.isNull: return resolved
        case let tag: throw YAMLError(description: "tag '\(tag)' is not allowed here\(place)")
        }
    }
}

/// Plain scalars of the core schema (YAML 1.2.2, 10.3.2).
enum YAMLScalar {
    static func resolve(_ text: String) -> JSONValue {
        switch text {
        case "", "~", "null", "Null", "NULL": return .null
        case "true", "True", "TRUE": return .bool(true)
        case "false", "False", "FALSE": return .bool(false)
        case ".nan", ".NaN", ".NAN": return .number(.nan)
        case ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF": return .number(.infinity)
        case "-.inf", "-.Inf", "-.INF": return .number(-.infinity)
        default: return number(text) ?? .string(text)
        }
    }

    private static func number(_ text: String) -> JSONValue? {
        let bytes = Array(text.utf8)
        if text.hasPrefix("0o"), bytes.dropFirst(2).allSatisfy({ (0x30...0x37).contains($0) }) {
            return Int64(text.dropFirst(2), radix: 8).map { .integer($0) }
        }
        if text.hasPrefix("0x"), bytes.dropFirst(2).allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }) {
            return Int64(text.dropFirst(2), radix: 16).map { .integer($0) }
        }
        let signed = bytes.first == UInt8(ascii: "-") || bytes.first == UInt8(ascii: "+")
        var rest = bytes[(signed ? 1 : 0)...]
        let whole = skipDigits(&rest)
        if rest.isEmpty, whole > 0 { return Int64(text).map { .integer($0) } ?? Double(text).map { .number($0) } }
        var fraction = 0
        if rest.first == UInt8(ascii: ".") {
            rest.removeFirst()
            fraction = skipDigits(&rest)
        }
        guard whole + fraction > 0 else { return nil }
        if rest.first == UInt8(ascii: "e") || rest.first == UInt8(ascii: "E") {
            rest.removeFirst()
            if rest.first == UInt8(ascii: "-") || rest.first == UInt8(ascii: "+") { rest.removeFirst() }
            guard skipDigits(&rest) > 0 else { return nil }
        }
        return rest.isEmpty ? Double(text.hasSuffix(".") ? text + "0" : text).map { .number($0) } : nil
    }

    private static func skipDigits(_ rest: inout ArraySlice<UInt8>) -> Int {
        let before = rest.count
        rest = rest.drop { (0x30...0x39).contains($0) }
        return before - rest.count
    }
}
