import HTTPWire
import Testing

struct WireTableTests {
    /// What comes of a case, fed in one way. Requests are answered at once.
    private func outcome(of bytes: [UInt8], _ split: Split) -> (WireCase.Outcome, Bench) {
        var bench = Bench(answersAtOnce: true)
        for piece in split.pieces(of: bytes) { bench.send(piece) }
        if let refusal = bench.statuses.first(where: { $0 != 200 && $0 != 100 }) {
            let body = bench.text.split(separator: "\r\n\r\n", omittingEmptySubsequences: false).last ?? ""
            return (.refusal(refusal, String(body.prefix { $0 != ":" })), bench)
        }
        return (.requests(bench.requests.map(describe)), bench)
    }

    private func describe(_ request: HTTPRequest) -> String {
        let items = request.head.query.map { "\($0.name)=\($0.value)" }.joined(separator: ";")
        let path = request.head.path + (items.isEmpty ? "" : "?" + items)
        return "\(request.head.method) \(path) \(String(decoding: request.body, as: UTF8.self))"
    }

    @Test(arguments: WireTable.all)
    func givesOneAnswerHoweverItArrives(_ wire: WireCase) {
        for split in Split.ways(for: wire.bytes) {
            #expect(outcome(of: wire.bytes, split).0 == wire.outcome, "\(split)")
        }
    }

    /// The refusal is the only answer, is the last, and closes.
    @Test(arguments: WireTable.refused)
    func nothingBehindARefusedRequestIsAnswered(_ wire: WireCase) {
        for split in Split.ways(for: wire.bytes) {
            let (outcome, bench) = outcome(of: wire.bytes + WireTable.canary, split)
            #expect(outcome == wire.outcome, "\(split)")
            #expect(bench.requests.isEmpty)
            #expect(bench.statuses.count == 1)
            #expect(bench.text.contains("\r\nConnection: close\r\n"))
            #expect(bench.hasFinishedWriting)
        }
    }

    @Test(arguments: [(50, 200), (51, 400)])
    func chunksAreCountedByteByByteToo(_ count: Int, _ status: Int) {
        var limits = HTTPLimits()
        limits.chunks = 50
        var bench = Bench(limits: limits, answersAtOnce: true)
        bench.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        for byte in (String(repeating: "1\r\nx\r\n", count: count) + "0\r\n\r\n").utf8 { bench.send([byte]) }
        #expect(bench.statuses == [status])
    }

    @Test func theTableIsLarge() {
        #expect(WireTable.all.count >= 300)
        var counts: [[UInt8]: Int] = [:]
        for wire in WireTable.all { counts[wire.bytes, default: 0] += 1 }
        let repeated = WireTable.all.filter { counts[$0.bytes] != 1 }.map(\.name)
        #expect(repeated.isEmpty)
    }

    /// The same answer for every place a request may be cut in two.
    @Test func everyCutInTwo() {
        let text =
            "POST /p?a=1 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=\"y\"\r\nhello\r\n"
            + "2\r\n\r\n\r\n0\r\nT: 1\r\n\r\nGET /next HTTP/1.1\r\nHost: a\r\n\r\n"
        let bytes = Array(text.utf8)
        for cut in 0...bytes.count {
            var bench = Bench(answersAtOnce: true)
            bench.send(Array(bytes[..<cut]))
            bench.send(Array(bytes[cut...]))
            #expect(bench.requests.map(describe) == ["POST /p?a=1 hello\r\n", "GET /next "], "cut at \(cut)")
        }
    }

    @Test(arguments: [
        #"5;a="b;c""#, #"5;a="; b""#, #"5;a="\"; b""#, #"5;a="\\";b=" ;""#, #"5;a=";";b=";""#, #"5;a="\;; \"""#,
    ])
    func quotedExtensionsCutInTwo(_ line: String) {
        let bytes = Array(
            ("POST /p HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\(line)\r\nhello\r\n0\r\n\r\n"
                + "GET /next HTTP/1.1\r\nHost: a\r\n\r\n").utf8)
        for cut in 0...bytes.count {
            var bench = Bench(answersAtOnce: true)
            bench.send(Array(bytes[..<cut]))
            bench.send(Array(bytes[cut...]))
            #expect(bench.requests.map(describe) == ["POST /p hello", "GET /next "], "cut at \(cut)")
        }
    }

    /// Random damage to good requests: an answer or none, never a trap, and the same however it arrives.
    @Test(arguments: 0..<40)
    func damagedRequests(_ seed: Int) {
        var random = SplitMix(state: UInt64(seed))
        let good = WireTable.all.filter { $0.bytes.count < 300 }
        for _ in 0..<50 {
            var bytes = good[Int.random(in: 0..<good.count, using: &random)].bytes
            for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty {
                let position = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[position] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: position)
                default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: position)
                }
            }
            let whole = outcome(of: bytes, .whole)
            let split = outcome(of: bytes, .byteByByte)
            #expect(whole.0 == split.0, "\(bytes)")
            #expect(whole.1.text == split.1.text, "\(bytes)")
        }
    }
}

/// A small generator with a seed (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}
