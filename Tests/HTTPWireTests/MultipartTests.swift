import HTTPWire
import Testing

struct MultipartTests {
    static let limits = {
        var limits = MultipartLimits()
        (limits.parts, limits.header) = (5, 200)
        return limits
    }()

    /// What comes of a body in `pieces`: its parts, or its refusal's status, code and message.
    private enum Outcome: Equatable {
        case parts([String])
        case refusal(HTTPWireError)
    }

    private func outcome(
        _ contentType: String, _ pieces: [[UInt8]], limits: MultipartLimits = limits
    ) -> Outcome {
        do throws(HTTPWireError) {
            return .parts(try parts(contentType, pieces, limits).map(\.description))
        } catch {
            return .refusal(error)
        }
    }

    private struct Part: Equatable, CustomStringConvertible {
        let header: MultipartPart
        var content: [UInt8] = []
        var isWhole = false

        var description: String {
            let filename = header.filename.map { " (\($0))" } ?? ""
            let type = header.contentType.map { " [\($0)]" } ?? ""
            let mark = isWhole ? "" : " (cut off)"
            return "\(header.name)\(filename)\(type): " + String(decoding: content, as: UTF8.self) + mark
        }
    }

    /// Checks on the way that `offset` counts, and that each part's content is where it says.
    private func parts(
        _ contentType: String, _ pieces: [[UInt8]], _ limits: MultipartLimits
    ) throws(HTTPWireError) -> [Part] {
        let whole = pieces.flatMap { $0 }
        var parser = MultipartParser(boundary: try MultipartBoundary(contentType: contentType), limits: limits)
        var parts: [Part] = []
        var start = 0
        var hasEnded = false
        var given = 0
        for piece in pieces {
            given += piece.count
            var input = piece[...]
            reading: while true {
                let event = try parser.next(&input)
                let isInOrder = parser.offset == given - input.count && (!hasEnded || event == .needMore)
                if !isInOrder { Issue.record("\(event) at byte \(parser.offset)") }
                switch event {
                case .needMore: break reading
                case .part(let header):
                    #expect(parts.last?.isWhole ?? true)
                    parts.append(Part(header: header))
                    start = parser.offset
                case .body(let data):
                    if data.isEmpty { Issue.record("an empty slice of content") }
                    parts[parts.count - 1].content += data
                case .partEnd:
                    parts[parts.count - 1].isWhole = true
                    let content = parts[parts.count - 1].content
                    #expect(whole[start...].starts(with: content))
                case .end: hasEnded = true
                }
            }
            #expect(input.isEmpty)
        }
        try parser.finish()
        #expect(hasEnded)
        return parts
    }

    /// The expected outcome of a case fed in one piece, in full.
    private func check(_ test: MultipartCase) -> Outcome {
        let whole = outcome(test.contentType, [test.bytes])
        switch (test.outcome, whole) {
        case (.parts(let expected), _): #expect(whole == .parts(expected))
        case (.refusal(let status, let says), .refusal(let error)):
            #expect(error.status == status)
            #expect(
                error.code == [400: "invalid_multipart", 413: "too_many_parts", 415: "unsupported_encoding"][status])
            #expect(error.message.contains(says), "\(error.message)")
        case (.refusal, .parts(let parts)): Issue.record("taken: \(parts)")
        }
        return whole
    }

    @Test(arguments: MultipartTable.all)
    func givesOneAnswerHoweverItArrives(_ test: MultipartCase) {
        let whole = check(test)
        #expect(outcome(test.contentType, test.bytes.map { [$0] }) == whole)
        #expect(outcome(test.contentType, test.bytes.flatMap { [[$0], []] }) == whole)
        guard test.bytes.count <= 400 else { return }
        for cut in 0...test.bytes.count {
            let pieces = [Array(test.bytes[..<cut]), Array(test.bytes[cut...])]
            #expect(outcome(test.contentType, pieces) == whole, "cut at \(cut)")
        }
    }

    @Test func theTableIsLarge() {
        #expect(MultipartTable.all.count >= 60)
        #expect(Set(MultipartTable.all.map(\.name)).count == MultipartTable.all.count)
    }

    @Test func aFailureIsRepeated() throws {
        var parser = MultipartParser(boundary: try MultipartBoundary(contentType: "multipart/form-data; boundary=b"))
        var input = Array("--bx".utf8)[...]
        let first = try #require(throws: HTTPWireError.self) { try parser.next(&input) }
        var more = Array(MultipartTable.form("x").utf8)[...]
        #expect(throws: first) { try parser.next(&more) }
        #expect(throws: first) { try parser.finish() }
        #expect(more.count == MultipartTable.form("x").utf8.count)
    }

    // MARK: - Properties

    /// Contents of what boundaries are made of, where a search is most easily misled.
    private func randomContent(_ random: inout SplitMix) -> [UInt8] {
        let pieces: [[UInt8]] = ["\r", "\n", "\r\n", "-", "--", "\r\n--", "\r\n--a", "\r\n--aa", "a", "\r\r\n--a"].map {
            Array($0.utf8)
        }
        return (0..<Int.random(in: 0...12, using: &random)).flatMap { _ in
            pieces[Int.random(in: 0..<pieces.count, using: &random)]
        }
    }

    private func randomPieces(_ bytes: [UInt8], _ random: inout SplitMix) -> [[UInt8]] {
        var rest = bytes[...]
        var pieces: [[UInt8]] = []
        while !rest.isEmpty {
            let piece = rest.prefix(Int.random(in: 0...9, using: &random))
            pieces.append(Array(piece))
            rest = rest.dropFirst(piece.count)
        }
        return pieces
    }

    private func contains(_ bytes: [UInt8], _ other: String) -> Bool {
        let other = Array(other.utf8)
        return bytes.indices.contains { bytes[$0...].starts(with: other) }
    }

    /// What was written is what is read, in any pieces.
    @Test(arguments: 0..<40)
    func randomForms(_ seed: Int) throws {
        var random = SplitMix(state: UInt64(seed))
        let boundary = "aaab"
        for _ in 0..<25 {
            var bytes: [UInt8] = []
            var expected: [Part] = []
            for index in 0..<Int.random(in: 0...5, using: &random) {
                let content = randomContent(&random)
                let framed = Array("\r\n".utf8) + content
                guard !contains(framed, "\r\n--" + boundary) else { continue }
                bytes +=
                    Array("--\(boundary)\r\nContent-Disposition: form-data; name=\"\(index)\"\r\n\r\n".utf8) + content
                bytes += Array("\r\n".utf8)
                let header = MultipartPart(name: "\(index)")
                expected.append(Part(header: header, content: content, isWhole: true))
            }
            bytes += Array("--\(boundary)--".utf8) + randomContent(&random)
            let type = "multipart/form-data; boundary=\(boundary)"
            for pieces in [[bytes], randomPieces(bytes, &random), randomPieces(bytes, &random)] {
                #expect(try parts(type, pieces, Self.limits) == expected, "\(pieces)")
            }
        }
    }

    /// Random damage to good forms: never a trap, and the same outcome however it arrives.
    @Test(arguments: 0..<40)
    func damagedForms(_ seed: Int) {
        var random = SplitMix(state: UInt64(seed))
        for _ in 0..<25 {
            let test = MultipartTable.all[Int.random(in: 0..<MultipartTable.all.count, using: &random)]
            var bytes = test.bytes
            for _ in 0..<Int.random(in: 1...3, using: &random) where !bytes.isEmpty {
                let position = Int.random(in: 0..<bytes.count, using: &random)
                switch Int.random(in: 0..<3, using: &random) {
                case 0: bytes[position] = UInt8.random(in: 0...255, using: &random)
                case 1: bytes.remove(at: position)
                default: bytes.insert(UInt8.random(in: 0...255, using: &random), at: position)
                }
            }
            let whole = outcome(test.contentType, [bytes])
            #expect(outcome(test.contentType, randomPieces(bytes, &random)) == whole, "\(test.name): \(bytes)")
        }
    }

    /// A quarter of a megabyte of what would take a quadratic search hours.
    @Test(.timeLimit(.minutes(5)), arguments: ["\r", "\r\n", "\r\n--" + String(repeating: "a", count: 69), "-"])
    func contentsThatAlmostHoldTheBoundary(_ unit: String) throws {
        let boundary = String(repeating: "a", count: 70)
        let content = String(repeating: unit, count: (1 << 18) / unit.utf8.count)
        let bytes = Array(MultipartTable.form(content, boundary: boundary).utf8)
        let pieces = stride(from: 0, to: bytes.count, by: 1000).map { Array(bytes[$0..<min($0 + 1000, bytes.count)]) }
        let found = try parts("multipart/form-data; boundary=" + boundary, pieces, Self.limits)
        #expect(found.map { $0.content == Array(content.utf8) } == [true])
    }
}
