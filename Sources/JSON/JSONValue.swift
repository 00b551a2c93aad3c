/// A JSON text as a tree (RFC 8259).
public enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    /// A number written without fraction and exponent that fits in 64 bits.
    case integer(Int64)
    /// Any other number.
    case number(Double)
    case string(String)
    case array([JSONValue])
    case object(JSONObject)
}

extension JSONValue {
    public var isNull: Bool { self == .null }

    public var boolValue: Bool? {
        if case .bool(let value) = self { value } else { nil }
    }

    /// The value of an `integer`; `nil` for `number`, integral or not.
    public var intValue: Int? {
        if case .integer(let value) = self { Int(exactly: value) } else { nil }
    }

    /// The value of an `integer` or a `number`.
    public var doubleValue: Double? {
        switch self {
        case .integer(let value): Double(value)
        case .number(let value): value
        default: nil
        }
    }

    public var stringValue: String? {
        if case .string(let value) = self { value } else { nil }
    }

    public var arrayValue: [JSONValue]? {
        if case .array(let value) = self { value } else { nil }
    }

    public var objectValue: JSONObject? {
        if case .object(let value) = self { value } else { nil }
    }

    /// The member of that name; `nil` where there is none, or where this isn't an object.
    public subscript(name: String) -> JSONValue? { objectValue?[name] }

    /// The element at that position; `nil` where there is none, or where this isn't an array.
    public subscript(position: Int) -> JSONValue? {
        guard case .array(let elements) = self, elements.indices.contains(position) else { return nil }
        return elements[position]
    }

    /// What kind of value this is, as an error message would call it: "an array".
    public var kind: String {
        switch self {
        case .null: "null"
        case .bool: "a boolean"
        case .integer, .number: "a number"
        case .string: "a string"
        case .array: "an array"
        case .object: "an object"
        }
    }
}

extension JSONValue: ExpressibleByNilLiteral, ExpressibleByBooleanLiteral, ExpressibleByIntegerLiteral,
    ExpressibleByFloatLiteral, ExpressibleByStringInterpolation, ExpressibleByArrayLiteral,
    ExpressibleByDictionaryLiteral
{
    public init(nilLiteral: ()) { self = .null }
    public init(booleanLiteral value: Bool) { self = .bool(value) }
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(floatLiteral value: Double) { self = .number(value) }
    public init(stringLiteral value: String) { self = .string(value) }
    public init(arrayLiteral elements: JSONValue...) { self = .array(elements) }
    public init(dictionaryLiteral elements: (String, JSONValue)...) { self = .object(JSONObject(elements)) }
}

extension JSONValue {
    public init(_ value: Bool) { self = .bool(value) }
    public init(_ value: String) { self = .string(value) }
    public init(_ value: Double) { self = .number(value) }
    public init(_ values: [JSONValue]) { self = .array(values) }

    /// An `integer`, or the nearest `number` where the value doesn't fit in 64 bits.
    public init(_ value: some BinaryInteger) {
        if let small = Int64(exactly: value) { self = .integer(small) } else { self = .number(Double(value)) }
    }

    /// Shortest decimal digits that give back the `Float`, not those of its `Double`.
    public init(_ value: Float) { self = .number(Double("\(value)") ?? Double(value)) }

    public init(_ values: some Sequence<some BinaryInteger>) { self = .array(values.map { JSONValue($0) }) }
    public init(_ values: some Sequence<Float>) { self = .array(values.map { JSONValue($0) }) }
    public init(_ values: some Sequence<String>) { self = .array(values.map { .string($0) }) }
}
