import HTTPWire

/// Limits that a short input can reach.
private let limits = {
    var limits = HTTPLimits()
    (limits.requestLine, limits.header, limits.fields) = (128, 256, 8)
    (limits.chunks, limits.chunkExtensions, limits.trailers) = (8, 64, 128)
    (limits.body, limits.refusedBody, limits.lingerBytes) = (512, 32, 4 << 10)
    return limits
}()

/// Takes every request but those for `/refused`, and marks its refusals by a field that nothing else has.
enum FuzzPolicy {
    static func decision(on head: HTTPRequestHead) -> ConnectionState.Decision {
        if head.path == "/refused" { return .respond(HTTPResponse(status: 403)) }
        return .collect(limit: 256)
    }

    static func response(to error: HTTPWireError) -> HTTPResponse {
        HTTPResponse(status: error.status, headers: ["X-Refusal": error.description])
    }

    static let refusalMark = Array("\r\nX-Refusal: ".utf8)
}

extension FuzzPolicy {
    static func connection() -> ConnectionState {
        ConnectionState(limits: limits, openedAt: .zero)
    }

    static func moment(_ now: Duration) -> HTTPMoment { HTTPMoment(monotonic: now, date: HTTPDate(unixSeconds: 0)) }

    /// What `limits` and the policy promise of a request.
    static func check(_ request: HTTPRequest) throws(FuzzFailure) {
        let head = request.head
        try require(request.body.count <= 256, "a body of \(request.body.count) bytes, over the limit")
        try require(head.headers.fields.count <= limits.fields, "\(head.headers.fields.count) fields, over the limit")
        try require(head.target.utf8.count <= limits.requestLine, "a target over the limit")
        if case .length(let length) = head.framing {
            try require(request.body.count == length, "\(request.body.count) bytes for Content-Length \(length)")
        }
    }
}

/// A connection whose requests are answered at once and whose client takes every byte at once.
private struct Exchange {
    private var state = FuzzPolicy.connection()
    private(set) var requests: [HTTPRequest] = []
    private(set) var output: [UInt8] = []
    private var head: HTTPRequestHead?

    var isClosed: Bool { state.isClosed }
    var isRefused: Bool { output.firstRange(of: FuzzPolicy.refusalMark) != nil }

    init(_ pieces: [ArraySlice<UInt8>]) throws(FuzzFailure) {
        for piece in pieces { try perform(state.received(piece, at: FuzzPolicy.moment(.zero))) }
    }

    mutating func finish() throws(FuzzFailure) { try perform(state.inputFinished(at: FuzzPolicy.moment(.zero))) }

    private mutating func perform(_ first: [ConnectionState.Action]) throws(FuzzFailure) {
        var actions = first[...]
        while let action = actions.popFirst() {
            switch action {
            case .head(let head):
                self.head = head
                actions += state.decide(FuzzPolicy.decision(on: head), at: FuzzPolicy.moment(.zero))
            case .body(let body):
                guard let head else { throw FuzzFailure(description: "a body without a head") }
                let request = HTTPRequest(head: head, body: body)
                try FuzzPolicy.check(request)
                requests.append(request)
                actions += state.respond(HTTPResponse(status: 200), at: FuzzPolicy.moment(.zero))
            case .refuse(let error):
                actions += state.respond(FuzzPolicy.response(to: error), at: FuzzPolicy.moment(.zero))
            case .write(let bytes):
                output += bytes
                actions += state.wrote(bytes.count, at: FuzzPolicy.moment(.zero))
            case .streamDrained, .finishWriting, .cancel, .close: break
            }
        }
    }
}

private let canary = Array("GET /canary HTTP/1.1\r\nHost: canary\r\n\r\n".utf8)

func checkStream(_ bytes: [UInt8]) throws(FuzzFailure) {
    var outcomes: [Exchange] = []
    for pieces in arrivals(of: bytes) { outcomes.append(try Exchange(pieces)) }
    let whole = outcomes[0]
    for outcome in outcomes {
        try require(outcome.requests == whole.requests, "the requests depend on how the bytes arrive")
        try require(outcome.output == whole.output, "the answers depend on how the bytes arrive")
    }
    if whole.isRefused {
        let followed = try Exchange([(bytes + canary)[...]])
        try require(followed.output == whole.output, "the bytes behind a refused request were answered")
    }
    for var outcome in outcomes {
        try outcome.finish()
        try require(outcome.isClosed, "a connection stays open after its last byte and its last answer")
    }
}

func checkChunked(_ bytes: [UInt8]) throws(FuzzFailure) {
    let head = Array("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".utf8)
    var bodies: [[UInt8]?] = []
    for pieces in arrivals(of: bytes) { bodies.append(try body([head[...]] + pieces)) }
    try require(bodies.allSatisfy { $0 == bodies[0] }, "the body depends on how the bytes arrive")
    if let body = bodies[0] {
        try require(body == dechunked(bytes), "a body of \(body.count) bytes where its chunks say otherwise")
    }
    let data = Array(bytes.prefix(limits.body))
    try require(body([(head + chunked(data))[...]]) == data, "a body in chunks does not come back")
}

/// The data of chunks that are known to be well-formed, read without any regard to what may be wrong with them.
private func dechunked(_ bytes: [UInt8]) -> [UInt8]? {
    var rest = bytes[...]
    var data: [UInt8] = []
    while let end = rest.firstIndex(of: 0x0D) {
        let digits = String(decoding: rest[..<end].prefix { $0 != UInt8(ascii: ";") }, as: UTF8.self)
        guard let size = Int(digits, radix: 16) else { return nil }
        if size == 0 { return data }
        let chunk = rest[(end + 2)...].prefix(size)
        data += chunk
        rest = rest[chunk.endIndex...].dropFirst(2)
    }
    return nil
}

/// `data` in at most as many chunks as the limits allow.
private func chunked(_ data: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    let size = max(1, (data.count + limits.chunks - 1) / limits.chunks)
    for start in stride(from: 0, to: data.count, by: size) {
        let chunk = data[start..<min(data.count, start + size)]
        bytes += Array("\(String(chunk.count, radix: 16));a=\"b\"\r\n".utf8) + chunk + Array("\r\n".utf8)
    }
    return bytes + Array("0\r\nA: b\r\n\r\n".utf8)
}

/// The first request's body; `nil` where it doesn't end or is refused.
private func body(_ pieces: [ArraySlice<UInt8>]) throws(FuzzFailure) -> [UInt8]? {
    var parser = RequestParser(limits: limits)
    var body: [UInt8] = []
    for piece in pieces {
        var input = piece
        reading: while true {
            switch parser.next(&input) {
            case .needMore: break reading
            case .head: break
            case .body(let data): body += data
            case .end: return body
            case .failure: return nil
            }
            try require(body.count <= limits.body, "a body of \(body.count) bytes, over the limit")
        }
    }
    return nil
}
