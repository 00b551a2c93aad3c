import HTTPWire
import JSON
import TokenFormats

/// Takes a request's options out of a query, a form or a JSON object, each once; what is left over at the end is
/// refused.
struct OptionReader {
    private var members: [String: JSONValue] = [:]
    /// In the order of the request.
    private var names: [String] = []
    /// Values of a query or a form are texts that must be read.
    private let isText: Bool
    private var asked: [String] = []

    init(query: [QueryItem]) throws(ServiceError) {
        try self.init(texts: query)
    }

    init(form: FormBody) throws(ServiceError) {
        try self.init(texts: form.fields)
    }

    private init(texts: [QueryItem]) throws(ServiceError) {
        isText = true
        for item in texts {
            guard members[item.name] == nil else {
                throw .badOption(shortened(item.name), "given more than once")
            }
            members[item.name] = .string(item.value)
            names.append(item.name)
        }
    }

    /// - Parameter object: what a JSON body holds; `null` counts as left out.
    init(json object: JSONObject) {
        isText = false
        for member in object.members {
            names.append(member.name)
            if !member.value.isNull { members[member.name] = member.value }
        }
    }

    /// The raw value.
    mutating func value(_ name: String) -> JSONValue? {
        asked.append(name)
        return members[name]
    }

    mutating func string(_ name: String) throws(ServiceError) -> String? {
        guard let value = value(name) else { return nil }
        guard let text = value.stringValue else { throw wrong(name, value, expected: "a string") }
        return text
    }

    /// One of the raw values of an enumeration.
    mutating func choice<T: RawRepresentable<String>>(_ name: String, of all: [T]) throws(ServiceError) -> T? {
        guard let value = value(name) else { return nil }
        let known = all.map { "'\($0.rawValue)'" }.joined(separator: " or ")
        guard let text = value.stringValue, let choice = all.first(where: { $0.rawValue == text }) else {
            throw wrong(name, value, expected: known)
        }
        return choice
    }

    mutating func bool(_ name: String) throws(ServiceError) -> Bool? {
        guard let value = value(name) else { return nil }
        if isText {
            if value == "true" { return true }
            if value == "false" { return false }
        } else if let bool = value.boolValue {
            return bool
        }
        throw wrong(name, value, expected: "true or false")
    }

    mutating func integer(_ name: String, in range: ClosedRange<Int64>) throws(ServiceError) -> Int64? {
        guard let value = value(name) else { return nil }
        var number: Int64?
        if isText {
            number = value.stringValue.flatMap { Int64($0) }
        } else if case .integer(let n) = value {
            number = n
        }
        guard let number, range.contains(number) else {
            throw wrong(name, value, expected: "an integer in \(range.lowerBound)...\(range.upperBound)")
        }
        return number
    }

    mutating func number(_ name: String, in range: ClosedRange<Double>) throws(ServiceError) -> Double? {
        guard let value = value(name) else { return nil }
        // As JSON writes numbers, in a query too: Swift reads "0x10" and "inf" as well.
        let text = isText ? value.stringValue.flatMap { try? JSONValue.parse(Array($0.utf8)) } : value
        let number = text?.doubleValue
        guard let number, range.contains(number) else {
            throw wrong(name, value, expected: "a number in \(range.lowerBound)...\(range.upperBound)")
        }
        return number
    }

    /// - Throws: where the request has an option that was not read, naming it and those there are.
    func finish() throws(ServiceError) {
        guard let unknown = names.first(where: { !asked.contains($0) }) else { return }
        let known = asked.map { "'\($0)'" }.joined(separator: ", ")
        throw ServiceError(
            400, "unknown_option",
            "'\(shortened(unknown))' is not an option here; there are: \(known)", param: shortened(unknown))
    }

    /// What was found where something else was expected.
    func wrong(_ name: String, _ value: JSONValue, expected: String) -> ServiceError {
        let found: String
        switch value {
        case .string(let text): found = "'\(shortened(text))'"
        case .integer, .number, .bool: found = "\(value)"
        default: found = value.kind
        }
        return .badOption(name, "found \(found), expected \(expected)")
    }
}
