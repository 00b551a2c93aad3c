import HTTPWire

/// Limits that a short input can reach.
private let limits = {
    var limits = MultipartLimits()
    (limits.parts, limits.header) = (5, 200)
    return limits
}()

private struct Part: Equatable {
    let header: MultipartPart
    let start: Int
    var content: [UInt8] = []
    var isWhole = false
}

/// What comes of a form: its parts, and the refusal that ended it.
private struct Form: Equatable {
    var parts: [Part] = []
    var refusal: HTTPWireError?

    init(_ boundary: MultipartBoundary, _ pieces: [ArraySlice<UInt8>]) throws(FuzzFailure) {
        var parser = MultipartParser(boundary: boundary, limits: limits)
        var given = 0
        for piece in pieces {
            given += piece.count
            var input = piece
            while refusal == nil, try take(&parser, &input, given) {}
        }
        do throws(HTTPWireError) { try parser.finish() } catch { refusal = error }
    }

    /// - Returns: whether there may be more in `input`.
    private mutating func take(
        _ parser: inout MultipartParser, _ input: inout ArraySlice<UInt8>, _ given: Int
    ) throws(FuzzFailure) -> Bool {
        let event: MultipartParser.Event
        do throws(HTTPWireError) {
            event = try parser.next(&input)
        } catch {
            refusal = error
            return false
        }
        try require(parser.offset == given - input.count, "the offset \(parser.offset) does not count")
        let isInside = parts.last.map { !$0.isWhole } ?? false
        switch event {
        case .needMore:
            try require(input.isEmpty, "more is asked for before all is taken")
            return false
        case .part(let header):
            try require(!isInside, "a part within a part")
            try require(parts.count < limits.parts, "more than \(limits.parts) parts")
            parts.append(Part(header: header, start: parser.offset))
        case .body(let data):
            try require(isInside && !data.isEmpty, "content outside a part, or none")
            parts[parts.count - 1].content += data
        case .partEnd:
            try require(isInside, "an end without a part")
            parts[parts.count - 1].isWhole = true
        case .end: try require(!isInside, "the end within a part")
        }
        return true
    }
}

func checkMultipart(_ bytes: [UInt8]) throws(FuzzFailure) {
    let line = bytes.prefix { $0 != 0x0A }
    let body = Array(bytes[line.endIndex...].dropFirst())
    try checkRoundTrip(bytes)
    guard let boundary = try? MultipartBoundary(contentType: String(decoding: line, as: UTF8.self)) else { return }
    var forms: [Form] = []
    for pieces in arrivals(of: body) { forms.append(try Form(boundary, pieces)) }
    try require(forms.allSatisfy { $0 == forms[0] }, "the parts depend on how the bytes arrive")
    for part in forms[0].parts {
        try require(body[part.start...].starts(with: part.content), "content that is not what stands at its offset")
    }
}

/// Any content in a form comes back, unless it holds the boundary.
private func checkRoundTrip(_ content: [UInt8]) throws(FuzzFailure) {
    let head = Array("--b0\r\nContent-Disposition: form-data; name=\"n\"\r\n\r\n".utf8)
    let delimiter = Array("\r\n--b0".utf8)
    guard (delimiter.prefix(2) + content).firstRange(of: delimiter) == nil,
        let boundary = try? MultipartBoundary(contentType: "multipart/form-data; boundary=b0")
    else { return }
    let form = try Form(boundary, [(head + content + delimiter + Array("--\r\n".utf8))[...]])
    try require(form.refusal == nil && form.parts.map(\.content) == [content], "content that does not come back")
}
