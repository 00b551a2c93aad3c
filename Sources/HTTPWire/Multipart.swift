/// The boundary of a multipart body (RFC 2046 5.1.1), checked.
public struct MultipartBoundary: Sendable, Equatable {
    let bytes: [UInt8]

    /// - Parameter contentType: the value of a request's Content-Type.
    /// - Throws: 400 `invalid_multipart` where its `boundary` is missing, repeated, or not 1 to 70 of RFC 2046's
    ///   characters as a token or a quoted string.
    public init(contentType: String) throws(HTTPWireError) {
        try self.init(Array(contentType.utf8))
    }

    /// As above, with the Content-Type of a request's head.
    public init(_ headers: HTTPHeaders) throws(HTTPWireError) {
        try self.init(Array(headers.firstBytes("Content-Type") ?? []))
    }

    private init(_ contentType: [UInt8]) throws(HTTPWireError) {
        let value: ParameterizedValue
        do throws(HTTPWireError) {
            value = try ParameterizedValue(contentType)
        } catch {
            throw .multipart("Content-Type: \(error.message)")
        }
        guard let boundary = value["boundary"] else { throw .multipart("Content-Type has no boundary=") }
        bytes = boundary
        guard (1...70).contains(bytes.count) else {
            throw .multipart("the boundary in Content-Type has \(bytes.count) bytes, expected 1 to 70")
        }
        guard bytes.allSatisfy(\.isBoundary), bytes.last != .space else {
            throw .multipart(
                "the boundary \(quoted(bytes)) in Content-Type holds what none may; expected letters, digits, "
                    + "'()+_,-./:=? and, but for its end, spaces")
        }
    }
}

/// How much a multipart body may ask for.
public struct MultipartLimits: Sendable, Equatable {
    public var parts = 128
    /// Bytes between the boundary before a part and its content. A file's name has 255 bytes on most systems, and
    /// seldom more than one other field stands beside it.
    public var header = 8 << 10

    public init() {}
}

/// The header of one part of multipart/form-data (RFC 7578 4.2 and 4.4). Bytes that aren't UTF-8 have become U+FFFD.
public struct MultipartPart: Sendable, Equatable {
    public let name: String
    public let filename: String?
    /// As it was sent.
    public let contentType: String?

    public init(name: String, filename: String? = nil, contentType: String? = nil) {
        self.name = name
        self.filename = filename
        self.contentType = contentType
    }

    /// Other fields than these three are ignored (RFC 7578 4.8).
    ///
    /// - Throws: 400 where the fields don't say what a part of a form must, 415 for an encoded part.
    init(_ headers: HTTPHeaders) throws(HTTPWireError) {
        for name in ["Content-Disposition", "Content-Type", "Content-Transfer-Encoding"] {
            let count = headers.all(name).count
            guard count <= 1 else { throw .multipart("\(name) appears \(count) times") }
        }
        if let coding = headers.first("Content-Transfer-Encoding") {
            guard ["7bit", "8bit", "binary"].contains(coding.lowercased()) else {
                throw HTTPWireError(
                    status: 415, code: "unsupported_encoding",
                    message: "Content-Transfer-Encoding \(quoted(coding.utf8)) is not read; send the part as it is")
            }
        }
        guard let disposition = headers.first("Content-Disposition") else {
            throw .multipart("there is no Content-Disposition, expected form-data; name=\"…\"")
        }
        let value = try ParameterizedValue(Array(disposition.utf8))
        guard value.type == "form-data" else {
            throw .multipart("Content-Disposition is \(quoted(value.type.utf8)), expected form-data")
        }
        guard let name = value["name"] else { throw .multipart("Content-Disposition has no name=") }
        self.name = Self.decoded(name)
        // RFC 7578 4.2 forbids filename*, which therefore is an unknown parameter like any other.
        filename = value["filename"].map(Self.decoded)
        contentType = headers.first("Content-Type")
    }

    /// What browsers and curl write for `"`, CR and LF, and for these only: a `%` of the name's own stays as it is
    /// (WHATWG HTML, "multipart/form-data encoding algorithm").
    private static func decoded(_ text: [UInt8]) -> String {
        var bytes: [UInt8] = []
        var rest = text[...]
        while let byte = rest.first {
            let code = rest.prefix(3)
            if code.elementsEqual("%22".utf8) {
                bytes.append(UInt8(ascii: "\""))
            } else if code.elementsEqual("%0D".utf8) {
                bytes.append(.cr)
            } else if code.elementsEqual("%0A".utf8) {
                bytes.append(.lf)
            } else {
                bytes.append(byte)
                rest.removeFirst()
                continue
            }
            rest = rest.dropFirst(3)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

/// `type *( OWS ";" OWS [ name "=" ( token / quoted-string ) ] )`: Content-Type, Content-Disposition (RFC 9110 5.6.6).
///
/// In a quoted string a backslash escapes `"` and itself; before anything else it is one of a Windows path, as old
/// browsers send it.
struct ParameterizedValue {
    /// In lower case.
    let type: String
    private var parameters: [String: [UInt8]] = [:]

    init(_ text: [UInt8]) throws(HTTPWireError) {
        var rest = text[...]
        type = String(decoding: Self.take(while: { $0 != UInt8(ascii: ";") }, &rest).trimmed, as: UTF8.self)
            .lowercased()
        while rest.popFirst() != nil {
            rest = rest.trimmed
            guard let first = rest.first, first != UInt8(ascii: ";") else { continue }
            let name = String(decoding: Self.take(while: \.isToken, &rest).map(\.lowercased), as: UTF8.self)
            guard !name.isEmpty, rest.popFirst() == UInt8(ascii: "=") else {
                throw .multipart("\(quoted(text)) has a parameter that is not NAME=VALUE")
            }
            let value = try Self.value(&rest, of: text)
            rest = rest.trimmed
            guard rest.first == nil || rest.first == UInt8(ascii: ";") else {
                throw .multipart(
                    "\(quoted(rest)) stands behind \(name)=, expected a token or a quoted string, then \";\" or the end"
                )
            }
            guard parameters.updateValue(value, forKey: name) == nil else {
                throw .multipart("\(quoted(text)) has \(name)= more than once")
            }
        }
    }

    /// The value of a parameter.
    ///
    /// - Parameter name: in lower case.
    subscript(name: String) -> [UInt8]? { parameters[name] }

    private static func take(
        while belongs: (UInt8) -> Bool, _ rest: inout ArraySlice<UInt8>
    ) -> ArraySlice<UInt8> {
        let taken = rest.prefix(while: belongs)
        rest = rest[taken.endIndex...]
        return taken
    }

    private static func value(_ rest: inout ArraySlice<UInt8>, of text: [UInt8]) throws(HTTPWireError) -> [UInt8] {
        guard rest.first == UInt8(ascii: "\"") else {
            return Array(take(while: \.isToken, &rest))
        }
        rest.removeFirst()
        var bytes: [UInt8] = []
        while var byte = rest.popFirst() {
            if byte == UInt8(ascii: "\"") { return bytes }
            let next = rest.first
            if byte == UInt8(ascii: "\\"), let next, next == UInt8(ascii: "\"") || next == UInt8(ascii: "\\") {
                byte = next
                rest.removeFirst()
            }
            bytes.append(byte)
        }
        throw .multipart("\(quoted(text)) has a quoted string without an end")
    }
}

extension UInt8 {
    /// `bchars` of RFC 2046 5.1.1.
    fileprivate var isBoundary: Bool {
        if isLetter || isDigit { return true }
        switch self {
        case .space, 0x27...0x29, 0x2B...0x2F, 0x3A, 0x3D, 0x3F, 0x5F: return true
        default: return false
        }
    }
}

extension HTTPWireError {
    static func multipart(_ message: String) -> HTTPWireError {
        HTTPWireError(status: 400, code: "invalid_multipart", message: message)
    }
}
