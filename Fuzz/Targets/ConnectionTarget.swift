import HTTPWire

/// Each byte of the input is something that happens, the next ones say how much of it.
func checkConnection(_ bytes: [UInt8]) throws(FuzzFailure) {
    var peer = Peer()
    var rest = bytes[...]
    while let code = rest.popFirst() { try peer.take(code, &rest) }
    try peer.outlast()
}

/// The two ends that a connection's state stands between, each within its contract, and a clock set by hand.
private struct Peer {
    private var state = FuzzPolicy.connection()
    private var now: Duration = .zero
    private var unwritten = 0
    private var hasRequest = false
    private var head: HTTPRequestHead?
    private var hasStream = false
    private var hasEnded = false
    private var hasFinished = false
    private var isClosed = false

    private var moment: HTTPMoment { FuzzPolicy.moment(now) }

    mutating func take(_ code: UInt8, _ rest: inout ArraySlice<UInt8>) throws(FuzzFailure) {
        let amount = Int(code >> 4)
        switch code & 15 {
        case 0...5:
            let piece = rest.prefix(amount == 15 ? rest.count : amount * 4 + 1)
            rest = rest[piece.endIndex...]
            if state.wantsInput, !hasEnded { try perform(state.received(piece, at: moment)) }
        case 6: try answer(amount)
        case 7, 8: try write(amount == 15 ? unwritten : amount * 16 + 1)
        case 9:
            now += .milliseconds(amount * 250)
            try perform(state.tick(at: moment))
        case 10:
            now += .seconds(amount * 2)
            try perform(state.tick(at: moment))
        case 11 where !hasEnded && state.wantsInput:
            hasEnded = true
            try perform(state.inputFinished(at: moment))
        case 12: try perform(state.peerHalfClosed(at: moment))
        case 13: try perform(state.drain(at: moment))
        case 14 where amount == 0: try perform(state.peerDisconnected())
        default: break
        }
    }

    /// A client that does nothing any more, and a handler that answers: the connection must come to an end.
    mutating func outlast() throws(FuzzFailure) {
        for _ in 0..<300 where !isClosed {
            if hasRequest { try answer(3) }
            now += .seconds(1)
            try perform(state.tick(at: moment))
        }
        try require(isClosed, "the connection is still open after minutes of silence")
        var late = try count(state.received([0x47], at: moment)) + count(state.inputFinished(at: moment))
        late += try count(state.tick(at: moment)) + count(state.peerDisconnected()) + count(state.drain(at: moment))
        try require(late == 0, "a closed connection asks for something")
    }

    private mutating func answer(_ amount: Int) throws(FuzzFailure) {
        guard hasRequest else { return }
        if hasStream {
            if amount > 4 {
                return try perform(state.streamed([UInt8](repeating: 0x79, count: amount * 9), at: moment))
            }
            (hasRequest, hasStream) = (false, false)
            return try perform(state.endStream(at: moment))
        }
        let headers: HTTPHeaders = amount & 4 == 0 ? [:] : ["Connection": "close"]
        let response = HTTPResponse(
            status: [200, 204, 304, 500][amount & 3], headers: headers,
            body: [UInt8](repeating: 0x78, count: amount == 15 ? 70_000 : amount * 8))
        if amount == 9 {
            hasStream = true
            return try perform(state.beginStream(response, at: moment))
        }
        hasRequest = false
        try perform(state.respond(response, at: moment))
    }

    private mutating func write(_ count: Int) throws(FuzzFailure) {
        let count = min(count, unwritten)
        guard count > 0 else { return }
        unwritten -= count
        try perform(state.wrote(count, at: moment))
    }

    private mutating func perform(_ first: [ConnectionState.Action]) throws(FuzzFailure) {
        _ = try count(first)
    }

    /// - Returns: how many actions there were.
    private mutating func count(_ first: [ConnectionState.Action]) throws(FuzzFailure) -> Int {
        var actions = first
        var next = 0
        while next < actions.count {
            let action = actions[next]
            next += 1
            try require(!isClosed, "\(action) behind .close")
            switch action {
            case .head(let head):
                try require(!hasRequest && next == actions.count, "a head amid other actions")
                self.head = head
                actions += state.decide(FuzzPolicy.decision(on: head), at: moment)
            case .body(let body):
                try require(!hasRequest, "a request before the one at hand is answered")
                guard let head else { throw FuzzFailure(description: "a body without a head") }
                try FuzzPolicy.check(HTTPRequest(head: head, body: body))
                hasRequest = true
            case .refuse(let error):
                try require(!hasRequest && next == actions.count, "a refusal amid other actions")
                actions += state.respond(FuzzPolicy.response(to: error), at: moment)
            case .write(let bytes):
                try require(!hasFinished, "bytes to be written behind FIN")
                unwritten += bytes.count
            case .streamDrained: try require(hasStream, "a stream drained that there is not")
            case .finishWriting:
                try require(!hasFinished && unwritten == 0, "FIN before the last byte, or twice")
                hasFinished = true
            case .cancel:
                try require(hasRequest, "a request cancelled that there is not")
                (hasRequest, hasStream) = (false, false)
            case .close: isClosed = true
            }
        }
        try require(state.isClosed == isClosed, "closed without saying so")
        try require(state.isWaiting == hasRequest, "the handler's request is not the one that is waited for")
        return actions.count
    }
}
