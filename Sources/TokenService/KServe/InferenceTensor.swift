import JSON
import TokenFormats

/// An input of a request: its description, and its values as they came.
public struct InferenceTensor: Sendable {
    private enum Values: Sendable {
        /// Row-major; flat, or nested as the shape says.
        case json([JSONValue])
        /// Row-major, little-endian, without padding. An element of BYTES stands behind its length, a 32-bit integer.
        case binary(ArraySlice<UInt8>)
    }

    let name: String
    let datatype: String
    let shape: [Int]
    /// Elements that the shape has.
    package let count: Int
    private let values: Values

    /// The protocol's integer types, by NumPy's names.
    private static let integerTypes = [
        "INT8": "<i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8", "UINT8": "<u1", "UINT16": "<u2",
        "UINT32": "<u4", "UINT64": "<u8",
    ]

    /// - Parameter binary: the bytes behind the JSON that no earlier input has; loses this one's.
    init(_ value: JSONValue, binary: inout ArraySlice<UInt8>) throws(ServiceError) {
        var members = try OptionReader(tensor: value)
        name = try members.name()
        datatype = try Self.required(try members.string("datatype"), "datatype")
        shape = try Self.sizes(try Self.required(try members.list("shape"), "shape"))
        count = try Self.count(shape)
        var parameters = OptionReader(json: try members.object("parameters") ?? JSONObject())
        let size = try parameters.integer("binary_data_size", in: 0...Int64.max)
        try parameters.takeClientInput()
        try parameters.finish()
        let data = try members.list("data")
        guard let size else {
            values = .json(try Self.required(data, "data"))
            return
        }
        guard data == nil else { throw .badOption("data", "stands beside 'binary_data_size', expected one of them") }
        guard size <= binary.count else {
            throw .badOption(
                "binary_data_size",
                "found \(size), there are \(binary.count) bytes left behind the JSON, whose end is told by "
                    + InferenceRequest.lengthField)
        }
        values = .binary(binary.prefix(Int(size)))
        binary = binary.dropFirst(Int(size))
    }

    private static func required<Member>(_ member: Member?, _ name: String) throws(ServiceError) -> Member {
        guard let member else {
            throw ServiceError(400, "missing_member", "there is no '\(name)'", param: name)
        }
        return member
    }

    private static func sizes(_ values: [JSONValue]) throws(ServiceError) -> [Int] {
        var sizes: [Int] = []
        for value in values {
            guard let size = value.intValue, size >= 0 else {
                let found = value.doubleValue == nil ? value.kind : "\(value)"
                throw .badOption("shape", "found \(found), expected sizes, integers of at least 0")
            }
            sizes.append(size)
        }
        return sizes
    }

    private static func count(_ shape: [Int]) throws(ServiceError) -> Int {
        var count = 1
        for size in shape {
            let (product, overflow) = count.multipliedReportingOverflow(by: size)
            guard !overflow else { throw .badOption("shape", "it has too many elements") }
            count = product
        }
        return count
    }

    private func bad(_ member: String, _ why: String) -> ServiceError {
        .badOption("\(shortened(name)).\(member)", why)
    }
}

// MARK: - Values

extension InferenceTensor {
    /// Integers of any of the protocol's types.
    public func integers() throws(ServiceError) -> [Int64] {
        guard let type = Self.integerTypes[datatype] else {
            throw bad("datatype", "found '\(shortened(datatype))', expected INT32 or another type of integers")
        }
        switch values {
        case .json(let elements): return try integers(elements)
        case .binary(let bytes):
            let width = Int(type.suffix(1)) ?? 1
            let (size, overflow) = count.multipliedReportingOverflow(by: width)
            guard !overflow, bytes.count == size else {
                throw bad(
                    "binary_data_size",
                    "found \(bytes.count) bytes, expected \(width) for each element of shape \(shape)")
            }
            return try translated(try Npy.values(bytes, type: type, count: count))
        }
    }

    private func integers(_ elements: [JSONValue]) throws(ServiceError) -> [Int64] {
        var integers: [Int64] = []
        for (position, element) in try flat(elements).enumerated() {
            guard let integer = element.clampedInteger, Self.holds(element, datatype) else {
                let found = element.doubleValue == nil ? element.kind : "\(element)"
                throw bad("data[\(position)]", "found \(found), expected an integer that \(datatype) holds")
            }
            integers.append(integer)
        }
        return integers
    }

    /// Whether a number of JSON is among those of an integer type.
    private static func holds(_ number: JSONValue, _ datatype: String) -> Bool {
        let isSigned = datatype.hasPrefix("INT")
        guard let bits = Int(datatype.drop { !$0.isNumber }) else { return false }
        guard case .integer(let integer) = number else {
            // Beyond 64 bits with a sign: UINT64 goes on to twice as far.
            return !isSigned && bits == 64 && (number.doubleValue.map { $0 > 0 && $0 <= 0x1p64 } ?? false)
        }
        guard bits < 64 else { return isSigned || integer >= 0 }
        let end = Int64(1) << Int64(isSigned ? bits - 1 : bits)
        return (isSigned ? -end..<end : 0..<end).contains(integer)
    }

    /// Images: files in binary data, base64 or data: URLs in JSON, which has no place for bytes.
    package func images() throws(ServiceError) -> ImageBody {
        guard datatype == "BYTES" else {
            throw bad("datatype", "found '\(shortened(datatype))', expected BYTES")
        }
        switch values {
        case .json(let elements): return ImageBody(texts: try texts(elements), named: name)
        case .binary(let bytes): return ImageBody(parts: try parts(bytes), named: name)
        }
    }

    /// An element of BYTES as binary data has it, behind its length.
    static func element(_ bytes: [UInt8]) -> [UInt8] {
        (0..<4).map { UInt8(truncatingIfNeeded: bytes.count >> (8 * $0)) } + bytes
    }

    private func texts(_ elements: [JSONValue]) throws(ServiceError) -> [String] {
        var texts: [String] = []
        for (position, element) in try flat(elements).enumerated() {
            guard let text = element.stringValue else {
                throw bad("data[\(position)]", "found \(element.kind), expected a string of base64 or a data: URL")
            }
            texts.append(text)
        }
        return texts
    }

    private func parts(_ bytes: ArraySlice<UInt8>) throws(ServiceError) -> [ArraySlice<UInt8>] {
        var parts: [ArraySlice<UInt8>] = []
        var rest = bytes
        while parts.count < count {
            guard rest.count >= 4 else {
                throw bad(
                    "data[\(parts.count)]", "\(rest.count) bytes are left, expected a length of 4 bytes and an element")
            }
            let length = rest.prefix(4).reversed().reduce(0) { $0 << 8 | Int($1) }
            rest = rest.dropFirst(4)
            guard length <= rest.count else {
                throw bad("data[\(parts.count)]", "its length is \(length), \(rest.count) bytes are left")
            }
            parts.append(rest.prefix(length))
            rest = rest.dropFirst(length)
        }
        guard rest.isEmpty else {
            throw bad("binary_data_size", "\(rest.count) bytes are left behind the last element of shape \(shape)")
        }
        return parts
    }

    /// As many elements as the shape has, out of a flat list or a list of rows.
    private func flat(_ elements: [JSONValue]) throws(ServiceError) -> [JSONValue] {
        var flat = elements
        if case .array? = elements.first {
            flat = []
            for (row, element) in elements.enumerated() {
                guard shape.count == 2, let list = element.arrayValue, list.count == shape[1] else {
                    throw bad("data[\(row)]", "found \(element.kind), expected a flat list or lists of shape \(shape)")
                }
                flat += list
            }
        }
        guard flat.count == count else {
            throw bad("data", "found \(flat.count) elements, expected \(count) for shape \(shape)")
        }
        return flat
    }
}
