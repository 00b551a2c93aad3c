// Strategy: content goes through in slices, up to the next boundary; what stands between a boundary and a part's
// content goes through byte by byte. Nothing is kept but the header line at hand: a boundary that is cut in two is kept
// as a number of bytes, for what they were is known.
//
// Invariants: each byte is looked at a fixed number of times at most. Where the input was cut changes nothing but the
// cuts between slices of content. After a failure every further call repeats it.

/// Takes the parts out of a body of multipart/form-data (RFC 7578, RFC 2046 5.1) that comes in any pieces.
///
/// Stricter than RFC 2046 where that leaves a choice: lines end in CRLF, and what begins a line like the boundary is
/// the boundary or an error, never content.
public struct MultipartParser: Sendable {
    public enum Event: Sendable, Equatable {
        /// `input` is used up.
        case needMore
        /// A part's header; its content begins at `offset`.
        case part(MultipartPart)
        /// Some of the content, in order, never empty.
        case body(ArraySlice<UInt8>)
        case partEnd
        /// The final boundary. Whatever follows is ignored.
        case end
    }

    private enum State {
        case preamble
        case boundaryEnd
        /// Behind the first of the two hyphens that make a boundary the final one.
        case hyphen
        case padding
        case paddingCR
        case fields
        case content
        case epilogue
        case failed(HTTPWireError)
    }

    private let boundary: MultipartBoundary
    private let limits: MultipartLimits
    private var state = State.preamble
    private var search: DelimiterSearch
    private var line = LineReader()
    private var headers = HTTPHeaders()
    private var headerBytes = 0
    private var parts = 0

    /// Bytes taken so far.
    public private(set) var offset = 0

    public init(boundary: MultipartBoundary, limits: MultipartLimits = MultipartLimits()) {
        self.boundary = boundary
        self.limits = limits
        search = DelimiterSearch(boundary)
    }

    /// Takes bytes from the front of `input` until there is something to report.
    ///
    /// - Throws: 400 `invalid_multipart`, 413 `too_many_parts`, or 415 `unsupported_encoding`; the message names the
    ///   part, from 1, and the byte, from 0.
    public mutating func next(_ input: inout ArraySlice<UInt8>) throws(HTTPWireError) -> Event {
        if case .failed(let error) = state { throw error }
        let count = input.count
        do throws(HTTPWireError) {
            let event = try step(&input)
            offset += count - input.count
            return event
        } catch {
            offset += count - input.count
            throw fail(error, at: offset - 1)
        }
    }

    /// To be called when there is no more input.
    ///
    /// - Throws: where the final boundary hasn't come, or what `next` has thrown before.
    public mutating func finish() throws(HTTPWireError) {
        let missing: String
        switch state {
        case .epilogue: return
        case .failed(let error): throw error
        case .preamble: missing = "no line of the body begins with the boundary \(delimiter)"
        case .content: missing = "the body ends without the final boundary \(delimiter)--"
        case .boundaryEnd, .hyphen, .padding, .paddingCR: missing = "the body ends within a boundary's line"
        case .fields: missing = "the body ends within a part's header"
        }
        throw fail(.multipart(missing), at: offset)
    }

    /// As it stands in the body, for messages.
    private var delimiter: String { "--" + String(decoding: boundary.bytes, as: UTF8.self) }

    private mutating func fail(_ error: HTTPWireError, at position: Int) -> HTTPWireError {
        let place = parts == 0 ? "before the first part" : "part \(parts)"
        let code = error.status == 400 ? "invalid_multipart" : error.code
        let error = HTTPWireError(
            status: error.status, code: code, message: "\(place), at byte \(position): \(error.message)")
        state = .failed(error)
        return error
    }

    private mutating func step(_ input: inout ArraySlice<UInt8>) throws(HTTPWireError) -> Event {
        switch state {
        case .preamble:
            if skipPreamble(&input) { return try step(&input) }
            return .needMore
        case .content:
            switch search.next(&input) {
            case .needMore: return .needMore
            case .data(let data): return .body(data)
            case .found:
                state = .boundaryEnd
                return .partEnd
            }
        case .epilogue:
            input = input[input.endIndex...]
            return .needMore
        default:
            while let byte = input.popFirst() {
                if let event = try take(byte) { return event }
            }
            return .needMore
        }
    }

    /// - Returns: whether the first boundary has come.
    private mutating func skipPreamble(_ input: inout ArraySlice<UInt8>) -> Bool {
        while true {
            switch search.next(&input) {
            case .data: continue
            case .needMore: return false
            case .found:
                state = .boundaryEnd
                return true
            }
        }
    }

    /// One byte between a boundary and content.
    private mutating func take(_ byte: UInt8) throws(HTTPWireError) -> Event? {
        headerBytes += 1
        guard headerBytes <= limits.header else {
            throw .multipart("the header of a part is over \(limits.header) bytes")
        }
        switch state {
        case .fields:
            return try takeField(byte)
        case .boundaryEnd where byte == UInt8(ascii: "-"):
            state = .hyphen
        case .hyphen where byte == UInt8(ascii: "-"):
            state = .epilogue
            return .end
        case .boundaryEnd where byte.isPadding, .padding where byte.isPadding:
            state = .padding
        case .boundaryEnd where byte == .cr, .padding where byte == .cr:
            state = .paddingCR
        case .paddingCR where byte == .lf:
            try beginPart()
        default:
            throw .multipart(
                "\(quoted([byte])) behind the boundary \(delimiter), expected CRLF or, at the end, \"--\"")
        }
        return nil
    }

    private mutating func beginPart() throws(HTTPWireError) {
        guard parts < limits.parts else {
            throw HTTPWireError(
                status: 413, code: "too_many_parts", message: "the body has more than \(limits.parts) parts")
        }
        parts += 1
        state = .fields
    }

    private mutating func takeField(_ byte: UInt8) throws(HTTPWireError) -> Event? {
        guard try line.take(byte) else { return nil }
        let bytes = line.finish()
        if !bytes.isEmpty {
            try headers.append(line: bytes.span)
            return nil
        }
        let part = try MultipartPart(headers)
        (headers, headerBytes) = (HTTPHeaders(), 0)
        state = .content
        search = DelimiterSearch(boundary)
        return .part(part)
    }
}

/// Looks for CRLF "--" boundary in bytes that come in pieces.
///
/// It begins at a line's begin, where the CRLF has been read already: a body may begin with the boundary, and a part
/// may have no content, not even the CRLF that would end it (RFC 2046 5.1.1, `body-part`).
private struct DelimiterSearch {
    enum Step {
        case needMore
        case data(ArraySlice<UInt8>)
        case found
    }

    private let delimiter: [UInt8]
    /// How many bytes of the delimiter stand before the input.
    private var matched = 2
    /// How many of them aren't data in any case.
    private var implied = 2

    init(_ boundary: MultipartBoundary) {
        delimiter = [.cr, .lf, UInt8(ascii: "-"), UInt8(ascii: "-")] + boundary.bytes
    }

    /// Takes what it can from the front of `input`.
    mutating func next(_ input: inout ArraySlice<UInt8>) -> Step {
        if matched > 0 {
            let common = commonLength(input, from: matched)
            if matched + common == delimiter.count || common == input.count {
                return take(common, of: &input)
            }
            let withheld = delimiter[implied..<matched]
            (matched, implied) = (0, 0)
            if !withheld.isEmpty { return .data(withheld) }
        }
        // CR begins the delimiter and is nowhere else in it: a match that fails needs no second look.
        var from = input.startIndex
        while let start = input[from...].firstIndex(of: .cr) {
            let common = commonLength(input[start...], from: 0)
            from = start + common
            guard common == delimiter.count || from == input.endIndex else { continue }
            guard start == input.startIndex else {
                defer { input = input[start...] }
                return .data(input[..<start])
            }
            return take(common, of: &input)
        }
        defer { input = input[input.endIndex...] }
        return input.isEmpty ? .needMore : .data(input)
    }

    private mutating func take(_ common: Int, of input: inout ArraySlice<UInt8>) -> Step {
        input = input.dropFirst(common)
        matched += common
        guard matched == delimiter.count else { return .needMore }
        (matched, implied) = (0, 0)
        return .found
    }

    /// How many bytes at the front of `bytes` are those of the delimiter from `position` on.
    private func commonLength(_ bytes: ArraySlice<UInt8>, from position: Int) -> Int {
        var count = 0
        for byte in bytes {
            guard position + count < delimiter.count, byte == delimiter[position + count] else { break }
            count += 1
        }
        return count
    }
}

extension UInt8 {
    /// `transport-padding` of RFC 2046 5.1.1.
    fileprivate var isPadding: Bool { self == .space || self == .tab }
}
