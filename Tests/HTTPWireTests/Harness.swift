import HTTPWire

/// Accepts every request up to a limit, or responds at once to the paths it is told to.
struct TestPolicy {
    var limit = 64 << 20
    var refused: [String: HTTPResponse] = [:]

    func decision(on head: HTTPRequestHead) -> ConnectionState.Decision {
        if let response = refused[head.path] { return .respond(response) }
        return .collect(limit: limit)
    }

    func response(to error: HTTPWireError) -> HTTPResponse {
        HTTPResponse(status: error.status, body: Array("\(error.code): \(error.message)".utf8))
    }
}

/// A `ConnectionState` with a clock set by hand and a peer that takes every byte at once, unless told otherwise.
struct Bench {
    var state: ConnectionState
    let policy: TestPolicy
    var now: Duration = .seconds(1000)
    /// The head whose body is being read.
    var head: HTTPRequestHead?
    var requests: [HTTPRequest] = []
    var output: [UInt8] = []
    var isClosed = false
    var hasFinishedWriting = false
    var wasCancelled = false
    var drainedStreams = 0
    /// Whether written bytes are taken at once.
    var takesBytes = true
    /// Whether requests are answered at once, with their path and body.
    var answersAtOnce = false

    init(limits: HTTPLimits = HTTPLimits(), policy: TestPolicy = TestPolicy(), answersAtOnce: Bool = false) {
        self.answersAtOnce = answersAtOnce
        self.policy = policy
        state = ConnectionState(limits: limits, openedAt: .seconds(1000))
    }

    var moment: HTTPMoment { HTTPMoment(monotonic: now, date: HTTPDate(unixSeconds: 784_887_151)) }
    var text: String { String(decoding: output, as: UTF8.self) }

    /// The status codes of all answers so far; bodies hold none.
    var statuses: [Int] {
        text.split(separator: "HTTP/1.1 ", omittingEmptySubsequences: false).dropFirst().compactMap {
            Int($0.prefix(3))
        }
    }

    mutating func send(_ text: String) { send(Array(text.utf8)) }

    mutating func send(_ bytes: [UInt8]) { perform(state.received(bytes[...], at: moment)) }

    mutating func finishInput() { perform(state.inputFinished(at: moment)) }

    mutating func answer(_ response: HTTPResponse) { perform(state.respond(response, at: moment)) }

    mutating func drain() { perform(state.drain(at: moment)) }

    mutating func wrote(_ count: Int) { perform(state.wrote(count, at: moment)) }

    /// Moves the clock in quarters of a second, as the server does.
    mutating func wait(_ duration: Duration) {
        let end = now + duration
        while now < end {
            now = min(end, now + .milliseconds(250))
            perform(state.tick(at: moment))
        }
    }

    mutating func perform(_ first: [ConnectionState.Action]) {
        var actions = first
        var next = 0
        while next < actions.count {
            let action = actions[next]
            next += 1
            switch action {
            case .head(let head):
                self.head = head
                actions += state.decide(policy.decision(on: head), at: moment)
            case .body(let body):
                guard let head else { fatalError("a body without a head") }
                requests.append(HTTPRequest(head: head, body: body))
                if answersAtOnce {
                    let body = Array(head.path.utf8) + body
                    actions += state.respond(HTTPResponse(status: 200, body: body), at: moment)
                }
            case .refuse(let error): actions += state.respond(policy.response(to: error), at: moment)
            case .streamDrained: drainedStreams += 1
            case .write(let bytes):
                output += bytes
                if takesBytes { actions += state.wrote(bytes.count, at: moment) }
            case .finishWriting: hasFinishedWriting = true
            case .cancel: wasCancelled = true
            case .close: isClosed = true
            }
        }
    }
}

/// The ways a stream of bytes may arrive.
enum Split: String, CaseIterable {
    case whole, byteByByte, atLineEnds, insideLineEnds

    /// All ways; for streams of hundreds of kilobytes those that take no piece for each byte.
    static func ways(for bytes: [UInt8]) -> [Split] {
        bytes.count > 100_000 ? [.whole, .atLineEnds] : allCases
    }

    func pieces(of bytes: [UInt8]) -> [[UInt8]] {
        switch self {
        case .whole: return [bytes]
        case .byteByByte: return bytes.map { [$0] }
        case .atLineEnds: return cut(bytes, behind: 0x0A)
        case .insideLineEnds: return cut(bytes, behind: 0x0D)
        }
    }

    private func cut(_ bytes: [UInt8], behind end: UInt8) -> [[UInt8]] {
        var pieces: [[UInt8]] = [[]]
        for byte in bytes {
            pieces[pieces.count - 1].append(byte)
            if byte == end { pieces.append([]) }
        }
        return pieces
    }
}

/// Bytes of a text in which `\u{80}`...`\u{FF}` stand for themselves.
func latin1(_ text: String) -> [UInt8] {
    text.unicodeScalars.map { UInt8(truncatingIfNeeded: $0.value) }
}
