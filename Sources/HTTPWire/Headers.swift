/// One field of a header section.
public struct HTTPField: Sendable, Equatable {
    /// As it was sent; compared without its case.
    public let name: String
    /// Without white space at the ends. Bytes that aren't UTF-8 have become U+FFFD.
    public let value: String
    /// The value as it was sent, where that isn't UTF-8.
    private let raw: [UInt8]?

    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
        raw = nil
    }

    init(_ name: String, bytes: ArraySlice<UInt8>) {
        self.name = name
        let text = String(validating: bytes, as: UTF8.self)
        value = text ?? String(decoding: bytes, as: UTF8.self)
        raw = text == nil ? Array(bytes) : nil
    }

    /// The value as it was sent.
    var bytes: [UInt8] { raw ?? Array(value.utf8) }
}

/// A header section: fields in the order they were sent, found by name without regard to case (RFC 9110 5.1).
public struct HTTPHeaders: Sendable, Equatable, ExpressibleByDictionaryLiteral {
    public private(set) var fields: [HTTPField]

    public init(_ fields: [HTTPField] = []) {
        self.fields = fields
    }

    public init(dictionaryLiteral elements: (String, String)...) {
        fields = elements.map { HTTPField($0.0, $0.1) }
    }

    /// The value of the first field called `name`.
    public func first(_ name: String) -> String? {
        fields.first { Self.isSame($0.name, name) }?.value
    }

    /// The values of all fields called `name`, in order.
    public func all(_ name: String) -> [String] {
        fields.filter { Self.isSame($0.name, name) }.map(\.value)
    }

    /// The members of a comma-separated list spread over all fields called `name` (RFC 9110 5.6.1), in lower case
    /// and without empty ones. Not for values that hold quoted strings.
    public func list(_ name: String) -> [String] {
        all(name).flatMap { value in
            Array(value.utf8).split(separator: UInt8(ascii: ",")).map(\.trimmed).filter { !$0.isEmpty }
                .map { member in String(decoding: member.map(\.lowercased), as: UTF8.self) }
        }
    }

    public mutating func add(_ name: String, _ value: String) {
        fields.append(HTTPField(name, value))
    }

    /// Removes all fields called `name` and adds one at the end.
    public mutating func set(_ name: String, _ value: String) {
        fields.removeAll { Self.isSame($0.name, name) }
        add(name, value)
    }

    static func isSame(_ name: String, _ other: String) -> Bool {
        name.utf8.equalsIgnoringCase(other.utf8)
    }
}
