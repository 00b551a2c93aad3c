/// One field of a header section.
public struct HTTPField: Sendable, Equatable {
    /// As it was sent; compared without its case.
    public let name: String
    /// Without white space at the ends. Bytes that aren't UTF-8 have become U+FFFD.
    public let value: String

    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// A header section: fields in the order they were sent, found by name without regard to case (RFC 9110 5.1).
///
/// The section is kept as bytes, as it is sent, and each field as the places of its name and value: taking one in or
/// writing it out copies bytes once, and text is only made of the values that are asked for.
public struct HTTPHeaders: Sendable, ExpressibleByDictionaryLiteral {
    /// Where one field stands in `bytes`.
    struct Place: Sendable {
        var name: Range<Int>
        var value: Range<Int>
    }

    /// Lines of name, value and what is between and behind them.
    private(set) var bytes: [UInt8] = []
    private(set) var places: [Place] = []

    public init(_ fields: [HTTPField] = []) {
        for field in fields { add(field.name, field.value) }
    }

    public init(dictionaryLiteral elements: (String, String)...) {
        bytes.reserveCapacity(256)
        places.reserveCapacity(elements.count + 4)
        for (name, value) in elements { add(name, value) }
    }

    public var count: Int { places.count }

    public var fields: [HTTPField] {
        places.map { HTTPField(text($0.name), text($0.value)) }
    }

    /// The value of the first field called `name`.
    public func first(_ name: String) -> String? {
        firstIndex(name).map { text(places[$0].value) }
    }

    /// The values of all fields called `name`, in order.
    public func all(_ name: String) -> [String] {
        var values: [String] = []
        for place in places where isName(place, name) { values.append(text(place.value)) }
        return values
    }

    /// The members of a comma-separated list spread over all fields called `name` (RFC 9110 5.6.1), in lower case
    /// and without empty ones. Not for values that hold quoted strings.
    public func list(_ name: String) -> [String] {
        var members: [String] = []
        for place in places where isName(place, name) {
            for member in bytes[place.value].split(separator: UInt8(ascii: ",")).map(\.trimmed) where !member.isEmpty {
                members.append(String(decoding: member.map(\.lowercased), as: UTF8.self))
            }
        }
        return members
    }

    public mutating func add(_ name: String, _ value: String) {
        let start = bytes.count
        bytes.append(contentsOf: name.utf8)
        let colon = bytes.count
        bytes.append(UInt8(ascii: ":"))
        bytes.append(.space)
        let first = bytes.count
        bytes.append(contentsOf: value.utf8)
        // A value may echo a client's words: what could end the line becomes a space (RFC 9110 5.5).
        for index in first..<bytes.count where !bytes[index].isFieldContent { bytes[index] = .space }
        places.append(Place(name: start..<colon, value: first..<bytes.count))
        bytes.append(.cr)
        bytes.append(.lf)
    }

    /// Removes all fields called `name` and adds one at the end.
    public mutating func set(_ name: String, _ value: String) {
        if contains(name) {
            let others = places.filter { !isName($0, name) }
            places = others
        }
        add(name, value)
    }

    // MARK: - As bytes

    /// Adds a field line (RFC 9112 5) without its CRLF.
    mutating func append(line: Span<UInt8>) throws(HTTPWireError) {
        let place = try Place(inLine: line)
        let start = bytes.count
        line.withUnsafeBufferPointer { bytes.append(contentsOf: $0) }
        bytes.append(.cr)
        bytes.append(.lf)
        places.append(
            Place(
                name: start + place.name.lowerBound..<start + place.name.upperBound,
                value: start + place.value.lowerBound..<start + place.value.upperBound))
    }

    /// Makes room for what a usual message has.
    public mutating func reserve() {
        bytes.reserveCapacity(512)
        places.reserveCapacity(12)
    }

    func count(of name: String) -> Int { places.count { isName($0, name) } }

    func contains(_ name: String) -> Bool { firstIndex(name) != nil }

    func firstIndex(_ name: String) -> Int? {
        places.firstIndex { isName($0, name) }
    }

    /// The value of the first field called `name`, as it was sent.
    func firstBytes(_ name: String) -> ArraySlice<UInt8>? {
        firstIndex(name).map { bytes[places[$0].value] }
    }

    /// Whether `list(name)` has `member`, which is in lower case.
    func list(_ name: String, contains member: String) -> Bool {
        contains(name) && list(name).contains(member)
    }

    private func isName(_ place: Place, _ name: String) -> Bool {
        let other = name.utf8
        guard place.name.count == other.count else { return false }
        var position = place.name.lowerBound
        for byte in other {
            guard bytes[position].lowercased == byte.lowercased else { return false }
            position += 1
        }
        return true
    }

    private func text(_ span: Range<Int>) -> String {
        String(decoding: bytes[span], as: UTF8.self)
    }

    static func isSame(_ name: String, _ other: String) -> Bool {
        name.utf8.equalsIgnoringCase(other.utf8)
    }
}

extension HTTPHeaders: Equatable {
    /// The same names, as they were sent, and values in the same order.
    public static func == (one: HTTPHeaders, other: HTTPHeaders) -> Bool {
        one.places.count == other.places.count
            && zip(one.places, other.places).allSatisfy { mine, its in
                one.bytes[mine.name] == other.bytes[its.name] && one.bytes[mine.value] == other.bytes[its.value]
            }
    }
}
