/// The chunked coding (RFC 9112 7.1), byte by byte except for the data itself.
struct ChunkedBody {
    enum Step {
        case needMore
        case data(ArraySlice<UInt8>)
        case end
    }

    private enum State {
        case size(digits: Int, value: Int)
        case extensions(size: Int, ExtensionPart)
        case sizeLF(size: Int)
        case data(remaining: Int)
        case dataCR
        case dataLF
        case trailers
    }

    /// Where in `;name=value` an extension is (RFC 9112 7.1.1).
    private enum ExtensionPart {
        /// Behind a semicolon.
        case start
        case nameOrToken
        /// In a quoted-string (RFC 9110 5.6.4), whose semicolons begin no extension.
        case quoted
        /// Behind a backslash in one: the next byte stands for itself, a double quote too.
        case quotedPair

        /// - Parameter byte: no control but a tab.
        func next(_ byte: UInt8) -> ExtensionPart {
            switch (self, byte) {
            case (.nameOrToken, UInt8(ascii: ";")): .start
            case (.nameOrToken, UInt8(ascii: "\"")): .quoted
            case (.quoted, UInt8(ascii: "\"")): .nameOrToken
            case (.quoted, UInt8(ascii: "\\")): .quotedPair
            case (.quoted, _), (.quotedPair, _): .quoted
            case (.start, _), (.nameOrToken, _): .nameOrToken
            }
        }
    }

    private let limits: HTTPLimits
    private let bodyLimit: Int
    private var state = State.size(digits: 0, value: 0)
    private var total = 0
    private var chunks = 0
    private var extensionBytes = 0
    private var trailerBytes = 0
    private var trailerFields = 0
    private var line = LineReader()

    /// - Parameter bodyLimit: the most bytes of data, in all chunks together.
    init(limits: HTTPLimits, bodyLimit: Int) {
        self.limits = limits
        self.bodyLimit = bodyLimit
    }

    /// Takes what it can from the front of `input`.
    mutating func next(_ input: inout ArraySlice<UInt8>) throws(HTTPWireError) -> Step {
        while !input.isEmpty {
            if case .data(let remaining) = state {
                let data = input.prefix(remaining)
                input = input.dropFirst(data.count)
                state = data.count == remaining ? .dataCR : .data(remaining: remaining - data.count)
                return .data(data)
            }
            if let byte = input.popFirst(), try take(byte) { return .end }
        }
        return .needMore
    }

    /// - Returns: whether `byte` ended the body.
    private mutating func take(_ byte: UInt8) throws(HTTPWireError) -> Bool {
        switch state {
        case .size(let digits, let value):
            try takeSize(byte, digits: digits, value: value)
        case .extensions(let size, let part):
            try takeExtension(byte, size: size, part)
        case .sizeLF(let size):
            guard byte == .lf else { throw .malformed("bare_cr", "a chunk size must end in CRLF") }
            try begin(size)
        case .dataCR:
            guard byte == .cr else { throw missingCRLF(byte) }
            state = .dataLF
        case .dataLF:
            guard byte == .lf else { throw missingCRLF(byte) }
            state = .size(digits: 0, value: 0)
        case .trailers:
            return try takeTrailer(byte)
        case .data:
            break
        }
        return false
    }

    private mutating func takeSize(_ byte: UInt8, digits: Int, value: Int) throws(HTTPWireError) {
        if let digit = byte.hexValue {
            // 16 digits hold 2^63 and more; leading zeros beyond them have no honest use.
            guard digits < 16, value <= Int.max >> 4 else {
                throw .malformed("bad_chunk_size", "a chunk size must be below 2^63 and have at most 16 digits")
            }
            state = .size(digits: digits + 1, value: value << 4 | Int(digit))
        } else if digits > 0, byte == .cr {
            state = .sizeLF(size: value)
        } else if digits > 0, byte == UInt8(ascii: ";") {
            try countExtension()
            state = .extensions(size: value, .start)
        } else if byte == .lf {
            throw .malformed("bare_lf", "a chunk size must end in CRLF")
        } else {
            throw .malformed(
                "bad_chunk_size", "\(quoted([byte])) in a chunk size, expected hexadecimal digits and CRLF")
        }
    }

    /// Extensions say nothing here and are ignored, but each byte is checked: an extension that another server reads
    /// another end of would let a request be smuggled. A quoted value holds no CR, so it must end before the line does.
    private mutating func takeExtension(_ byte: UInt8, size: Int, _ part: ExtensionPart) throws(HTTPWireError) {
        if byte != .cr { try countExtension() }
        switch (byte, part) {
        case (.lf, _):
            throw .malformed("bare_lf", "a chunk extension must end in CRLF")
        case (.cr, .nameOrToken):
            state = .sizeLF(size: size)
        case (.cr, .quoted), (.cr, .quotedPair):
            throw .malformed(
                "bad_chunk_extension",
                "a quoted value of a chunk extension goes to the line's end, expected a \" before")
        case (_, .start) where !byte.isToken, (_, _) where !byte.isFieldContent:
            throw .malformed("bad_chunk_extension", "\(quoted([byte])) in a chunk extension")
        default:
            state = .extensions(size: size, part.next(byte))
        }
    }

    private mutating func countExtension() throws(HTTPWireError) {
        extensionBytes += 1
        guard extensionBytes <= limits.chunkExtensions else {
            throw .malformed(
                "chunk_extensions_too_large", "chunk extensions are over \(limits.chunkExtensions) bytes")
        }
    }

    private mutating func begin(_ size: Int) throws(HTTPWireError) {
        guard size > 0 else {
            state = .trailers
            return
        }
        chunks += 1
        guard chunks <= limits.chunks else {
            throw .malformed("too_many_chunks", "the body has more than \(limits.chunks) chunks")
        }
        guard size <= bodyLimit - total else { throw .bodyTooLarge(limit: bodyLimit) }
        total += size
        state = .data(remaining: size)
    }

    /// Trailers are checked like fields and thrown away (RFC 9110 6.5.1 allows that).
    private mutating func takeTrailer(_ byte: UInt8) throws(HTTPWireError) -> Bool {
        trailerBytes += 1
        guard trailerBytes <= limits.trailers else {
            throw .malformed("trailers_too_large", "the trailer section is over \(limits.trailers) bytes")
        }
        guard try line.take(byte) else { return false }
        let field = line.finish()
        if field.isEmpty { return true }
        trailerFields += 1
        guard trailerFields <= limits.fields else {
            throw .malformed("trailers_too_large", "the trailer section has more than \(limits.fields) fields")
        }
        _ = try HTTPHeaders.Place(inLine: field.span)
        return false
    }

    private func missingCRLF(_ byte: UInt8) -> HTTPWireError {
        .malformed("bad_chunk_end", "chunk data must be followed by CRLF, found \(quoted([byte]))")
    }
}

extension HTTPWireError {
    static func bodyTooLarge(limit: Int) -> HTTPWireError {
        HTTPWireError(status: 413, code: "body_too_large", message: "the body is over \(limit) bytes")
    }
}
