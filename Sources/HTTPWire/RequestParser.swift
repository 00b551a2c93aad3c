// Strategy: lines of the head that the input holds whole, and that break no rule of bytes, are taken at once; every
// other line goes through one byte at a time, and what is refused before its end is refused there. So where the input
// was split can't matter. Body data goes through in slices. The parser keeps only the line it is in.
//
// Invariants: after `.failure` every further call repeats it and takes no byte, so nothing behind a refused request is
// ever read as another one. After `.end` the next call begins the next request.

/// Takes requests out of a stream of bytes: HTTP/1.0 and HTTP/1.1 (RFC 9112), one strict reading for each input.
public struct RequestParser: Sendable {
    public enum Event: Sendable, Equatable {
        /// `input` is used up.
        case needMore
        /// The head is whole; no byte of the body has been taken. Set `bodyLimit` now.
        case head(HTTPRequestHead)
        /// Some of the body, in order, the transfer coding removed.
        case body(ArraySlice<UInt8>)
        /// The request is whole.
        case end
        case failure(HTTPWireError)
    }

    private enum State {
        /// Before a request line; one empty line is forgiven (RFC 9112 2.2).
        case start(skippedLine: Bool)
        case requestLine(methodEnded: Bool)
        case fields
        case bodyStart(BodyFraming)
        case length(remaining: Int)
        case chunked(ChunkedBody)
        case failed(HTTPWireError)
    }

    private let limits: HTTPLimits
    private var state = State.start(skippedLine: false)
    private var line = LineReader()
    private var requestLine: RequestLine?
    private var headers = HTTPHeaders()
    private var headerBytes = 0

    /// The most bytes the current request's body may have.
    public var bodyLimit: Int

    public init(limits: HTTPLimits = HTTPLimits()) {
        self.limits = limits
        bodyLimit = limits.body
    }

    /// Whether a byte of a request line has been taken since the last request's end.
    public var hasBegun: Bool {
        if case .start = state { return false }
        return true
    }

    /// Takes bytes from the front of `input` until there is something to report.
    public mutating func next(_ input: inout ArraySlice<UInt8>) -> Event {
        do throws(HTTPWireError) {
            return try step(&input)
        } catch {
            state = .failed(error)
            return .failure(error)
        }
    }

    private mutating func step(_ input: inout ArraySlice<UInt8>) throws(HTTPWireError) -> Event {
        switch state {
        case .failed(let error):
            return .failure(error)
        case .bodyStart(let framing):
            return try beginBody(framing, &input)
        case .length(let remaining):
            return takeLength(remaining, &input)
        case .chunked(var body):
            let step = try body.next(&input)
            state = .chunked(body)
            switch step {
            case .needMore: return .needMore
            case .data(let data): return .body(data)
            case .end: return end()
            }
        case .start, .requestLine, .fields:
            return try takeHead(&input)
        }
    }

    private mutating func takeHead(_ input: inout ArraySlice<UInt8>) throws(HTTPWireError) -> Event {
        while !input.isEmpty {
            let (taken, isWhole) = line.isEmpty ? try takePlainLines(input.span) : (0, false)
            input = input.dropFirst(taken)
            if isWhole { return .head(try finishHead()) }
            // Then the next line is no plain one, or not whole yet.
            if let byte = input.popFirst(), try takeHeadByte(byte) { return .head(try finishHead()) }
        }
        return .needMore
    }

    /// Takes the lines that `bytes` begins with, as far as they are whole and plain.
    ///
    /// - Returns: how many bytes that were, and whether the header has ended.
    private mutating func takePlainLines(_ bytes: Span<UInt8>) throws(HTTPWireError) -> (taken: Int, isWhole: Bool) {
        var taken = 0
        while true {
            var end = taken
            while end < bytes.count, bytes[end].isFieldContent { end += 1 }
            guard end + 1 < bytes.count, bytes[end] == .cr, bytes[end + 1] == .lf else { return (taken, false) }
            let line = bytes.extracting(taken..<end)
            guard accepts(line) else { return (taken, false) }
            taken = end + 2
            if case .fields = state {
                headerBytes += line.count + 2
                if try takeField(line) { return (taken, true) }
            } else {
                try beginFields(line)
            }
        }
    }

    /// Whether a whole line breaks no rule that is looked at byte by byte.
    private func accepts(_ line: Span<UInt8>) -> Bool {
        if case .fields = state { return headerBytes + line.count + 2 <= limits.header }
        var method = 0
        while method < line.count, line[method].isToken { method += 1 }
        return method > 0 && method < line.count && line[method] == .space && line.count <= limits.requestLine
    }

    /// - Returns: whether `byte` ended the header.
    private mutating func takeHeadByte(_ byte: UInt8) throws(HTTPWireError) -> Bool {
        switch state {
        case .start(let skippedLine): try takeFirst(byte, skippedLine: skippedLine)
        case .requestLine(let methodEnded): try takeRequestLine(byte, methodEnded: methodEnded)
        case .fields: return try takeFieldByte(byte)
        case .bodyStart, .length, .chunked, .failed: break
        }
        return false
    }

    private mutating func takeFirst(_ byte: UInt8, skippedLine: Bool) throws(HTTPWireError) {
        guard !line.isEmpty || byte == .cr else {
            state = .requestLine(methodEnded: false)
            return try takeRequestLine(byte, methodEnded: false)
        }
        guard !skippedLine else {
            throw .malformed("bad_request_line", "more than one empty line before the request line")
        }
        if try line.take(byte) {
            _ = line.finish()
            state = .start(skippedLine: true)
        }
    }

    private mutating func takeRequestLine(_ byte: UInt8, methodEnded: Bool) throws(HTTPWireError) {
        // Garbage, a TLS handshake say, is refused at once: its line may never end.
        guard methodEnded || byte.isToken || (byte == .space && line.count > 0) else {
            throw .malformed("bad_request_line", "\(quoted([byte])) in a method, expected METHOD TARGET HTTP/1.1")
        }
        state = .requestLine(methodEnded: methodEnded || byte == .space)
        if try line.take(byte) {
            try beginFields(line.finish().span)
        } else if line.count > limits.requestLine {
            throw HTTPWireError(
                status: 414, code: "request_line_too_long",
                message: "the request line is over \(limits.requestLine) bytes")
        }
    }

    private mutating func beginFields(_ line: Span<UInt8>) throws(HTTPWireError) {
        requestLine = try RequestLine(line.copy[...])
        state = .fields
        headerBytes = 0
        headers.reserve()
    }

    /// - Returns: whether `byte` ended the header.
    private mutating func takeFieldByte(_ byte: UInt8) throws(HTTPWireError) -> Bool {
        headerBytes += 1
        guard headerBytes <= limits.header else {
            throw HTTPWireError(
                status: 431, code: "header_too_large", message: "the header is over \(limits.header) bytes")
        }
        guard try line.take(byte) else { return false }
        return try takeField(line.finish().span)
    }

    /// - Returns: whether `line` is the empty one, which ends the header.
    private mutating func takeField(_ line: Span<UInt8>) throws(HTTPWireError) -> Bool {
        if line.isEmpty { return true }
        guard headers.count < limits.fields else {
            throw HTTPWireError(
                status: 431, code: "too_many_fields", message: "the header has more than \(limits.fields) fields")
        }
        try headers.append(line: line)
        return false
    }

    private mutating func finishHead() throws(HTTPWireError) -> HTTPRequestHead {
        guard let requestLine else {
            throw HTTPWireError(status: 500, code: "internal", message: "a header ended without its request line")
        }
        var headers = HTTPHeaders()
        swap(&headers, &self.headers)
        self.requestLine = nil
        try Framing.checkHost(headers, minorVersion: requestLine.minorVersion)
        let framing = try Framing.of(headers, minorVersion: requestLine.minorVersion)
        state = .bodyStart(framing)
        bodyLimit = limits.body
        return HTTPRequestHead(
            method: requestLine.method, target: requestLine.text, path: requestLine.target.path,
            query: requestLine.target.query, minorVersion: requestLine.minorVersion, headers: headers,
            framing: framing)
    }

    private mutating func beginBody(
        _ framing: BodyFraming, _ input: inout ArraySlice<UInt8>
    ) throws(HTTPWireError) -> Event {
        let limit = min(bodyLimit, limits.body)
        switch framing {
        case .none, .length(0):
            return end()
        case .length(let length):
            guard length <= limit else { throw .bodyTooLarge(limit: limit) }
            return takeLength(length, &input)
        case .chunked:
            state = .chunked(ChunkedBody(limits: limits, bodyLimit: limit))
            return try step(&input)
        }
    }

    private mutating func takeLength(_ remaining: Int, _ input: inout ArraySlice<UInt8>) -> Event {
        guard remaining > 0 else { return end() }
        let data = input.prefix(remaining)
        input = input.dropFirst(data.count)
        state = .length(remaining: remaining - data.count)
        return data.isEmpty ? .needMore : .body(data)
    }

    private mutating func end() -> Event {
        state = .start(skippedLine: false)
        return .end
    }
}

/// A request line (RFC 9112 3), checked.
private struct RequestLine {
    let method: String
    let text: String
    let target: RequestTarget
    let minorVersion: Int

    init(_ line: ArraySlice<UInt8>) throws(HTTPWireError) {
        guard let first = line.firstIndex(of: .space), let last = line.lastIndex(of: .space), first > line.startIndex,
            first + 1 < last, !line[(first + 1)..<last].contains(.space)
        else {
            throw .malformed("bad_request_line", "\(quoted(line)), expected METHOD TARGET HTTP/1.1")
        }
        let bytes = line[(first + 1)..<last]
        minorVersion = try Self.minorVersion(line[(last + 1)...])
        method = String(decoding: line[..<first], as: UTF8.self)
        text = String(decoding: bytes, as: UTF8.self)
        target = try RequestTarget(bytes, method: method)
    }

    /// RFC 9110 2.5 would have HTTP/1.2 served as 1.1; no known client sends it.
    private static func minorVersion(_ bytes: ArraySlice<UInt8>) throws(HTTPWireError) -> Int {
        if bytes.elementsEqual("HTTP/1.1".utf8) { return 1 }
        if bytes.elementsEqual("HTTP/1.0".utf8) { return 0 }
        let digits = bytes.dropFirst(5).split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard bytes.prefix(5).elementsEqual("HTTP/".utf8), (1...2).contains(digits.count),
            digits.allSatisfy({ $0.count == 1 && $0.allSatisfy(\.isDigit) })
        else {
            throw .malformed("bad_version", "\(quoted(bytes)) is not a version, expected HTTP/1.1")
        }
        throw HTTPWireError(
            status: 505, code: "version_not_supported",
            message: "\(quoted(bytes)): only HTTP/1.1 and HTTP/1.0 are spoken here")
    }
}
