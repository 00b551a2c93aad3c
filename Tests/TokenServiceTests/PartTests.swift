import Dispatch
import Foundation
import HTTPWire
import ImageInput
import JSON
import Patience
import Synchronization
import Testing
import TokenizerCore

@testable import TokenFormats
@testable import TokenService

@Test(arguments: 0..<50) func base64IsFoundations(count: Int) throws {
    let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 167 &+ count) }
    let encoded = Base64.encode(bytes)
    #expect(encoded == Data(bytes).base64EncodedString())
    #expect(try Base64.decode(encoded.utf8) == bytes)
}

@Test(arguments: [("abc", 3), ("ab=c", 2), ("====", 0), ("a===", 1), ("ab\nd", 2), ("abcdé==", 4), ("ab-_", 2)])
func base64IsStrict(text: String, offset: Int) {
    let failure = #expect(throws: Base64.Failure.self) { try Base64.decode(text.utf8) }
    #expect(failure?.offset == offset)
}

@Test(
    arguments: [
        (nil, "application/json"), ("*/*", "application/json"), ("image/png", "image/png"), ("image/*", "image/png"),
        ("image/png;q=0.5, application/json;q=0.4", "image/png"), ("application/json, image/png", "application/json"),
        ("*/*;q=0.1, image/png", "image/png"), ("IMAGE/PNG", "image/png"), ("text/html", nil),
        ("application/json;q=0, */*", "image/png"), ("image/png; q=0", nil),
        ("text/html, ;q=1, */*;q=0.2", "application/json"),
        ("image/pngx", nil), ("image/jpeg, image/*;q=0.3", "image/png"),
    ] as [(String?, String?)])
func negotiation(accept: String?, expected: String?) {
    let headers = HTTPHeaders(accept.map { [HTTPField("Accept", $0)] } ?? [])
    #expect(MediaType.choose(["application/json", "image/png"], for: headers) == expected)
}

private func npy(_ header: String, _ data: [UInt8], version: UInt8 = 1) -> [UInt8] {
    let count = header.utf8.count
    let length = [UInt8(count & 255), UInt8(count >> 8 & 255)] + (version > 1 ? [0, 0] : [])
    return [0x93] + Array("NUMPY".utf8) + [version, 0] + length + Array(header.utf8) + data
}

@Test func npyVersionsAndLayouts() throws {
    let plain = "{'descr': '<i2', 'fortran_order': False, 'shape': (2,), }\n"
    let data: [UInt8] = [0xFF, 0xFF, 1, 1]
    for version in [UInt8(1), 2, 3] {
        let array = try Npy.integers(npy(plain, data, version: version), limit: 10)
        #expect(array == Npy.Integers(shape: [2], values: [-1, 257]))
    }
    let other = #"{"shape": (1, 2), "fortran_order": True, "descr": ">u2"}"#
    #expect(try Npy.integers(npy(other, data), limit: 10) == Npy.Integers(shape: [1, 2], values: [65535, 257]))
    let large = "{'descr': '<u8', 'fortran_order': False, 'shape': (1,), }"
    let most = [UInt8](repeating: 0xFF, count: 8)
    #expect(try Npy.integers(npy(large, most), limit: 10).values == [Int64.max])
}

@Test(arguments: [
    ("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }", 4, "integers"),
    ("{'descr': '<u3', 'fortran_order': False, 'shape': (1,), }", 3, "integers"),
    ("{'descr': [('a', '<u2')], 'fortran_order': False, 'shape': (1,), }", 2, "descr"),
    ("{'fortran_order': False, 'shape': (1,), }", 2, "descr"),
    ("{'descr': '<u2', 'shape': (1,), }", 2, "fortran_order"),
    ("{'descr': '<u2', 'fortran_order': False, }", 2, "shape"),
    ("{'descr': '<u2', 'fortran_order': False, 'shape': (-1,), }", 2, "found '-1,"),
    ("{'descr': '<u2', 'fortran_order': False, 'shape': (99999999999999999999,), }", 2, "a size in 'shape'"),
    ("{'descr': '<u2', 'fortran_order': False, 'shape': (4294967296, 4294967296), }", 2, "more than"),
    ("{'descr': '<u2', 'fortran_order': False, 'shape': (2,), }", 2, "expected 4"),
    ("{'descr': '<u2', 'fortran_order': False, 'shape': (2,), }", 5, "5 bytes of data"),
    ("{'descr': '<u2', 'fortran_order': True, 'shape': (2, 2), }", 8, "True"),
    ("", 0, "doesn't begin"),
    // What NumPy refuses.
    ("{'descr': '<u2', 'fortran_order': False, 'shape': (1)}", 2, "found ')}', expected ',' behind the only size"),
    ("{'descr': '<u2', 'fortran_order': False, 'shape': 1}", 2, "expected a tuple as 'shape'"),
    ("{'descr': '<u2', 'fortran_order': False, 'shape': (01,)}", 2, "expected a size"),
    ("{'descr': '<u2', 'fortran_order': False, 'shape': (,)}", 2, "expected a size"),
    ("{'descr': '<u2', 'fortran_order': False, 'shape': (1,), ", 2, "found the end"),
    ("{'descr': '<u2', 'fortran_order': False, 'shape': (1,)", 2, "found the end, expected '}'"),
    ("{'descr': '<u2', 'fortran_order': False, 'shape': (1,)} x", 2, "found 'x', expected its end"),
    ("{'descr': '<u2', 'fortran_order': False, 'shape': (1,), 'shape': (1,), }", 2, "'shape' twice"),
    ("{'descr': '<u2', 'fortran_order': False, 'shape': (1,), 'x': 1, }", 2, "has 'x', expected 'descr'"),
    ("{'descr': '<u2' 'fortran_order': False, 'shape': (1,), }", 2, "expected '}'"),
    ("{'descr': '<u2', 'fortran_order': 0, 'shape': (1,), }", 2, "expected True or False"),
    ("x{'descr': '<u2', 'fortran_order': False, 'shape': (1,), }", 2, "expected '{'"),
])
func npyDefects(header: String, count: Int, says: String) {
    let bytes = npy(header, [UInt8](repeating: 0, count: count))
    let error = #expect(throws: FormatError.self) { try Npy.integers(bytes, limit: 1000) }
    #expect(error?.code == "invalid_npy")
    #expect(error?.message.contains(says) == true, "\(error?.message ?? "")")
}

@Test func npyCutAnywhereIsRefused() throws {
    let whole = Npy.file(type: "<u2", shape: [2, 2], values: [1, 0, 2, 0, 3, 0, 4, 0])
    #expect(try Npy.integers(whole, limit: 4).values == [1, 2, 3, 4])
    for count in 0..<whole.count {
        #expect(throws: FormatError.self) { try Npy.integers(Array(whole.prefix(count)), limit: 4) }
    }
}

/// Files that aren't tokens, by what is in them.
@Test(
    arguments: [
        ([0xFF, 0xD8, 0xFF, 0xE0], "is neither an .npy array nor JSON that is read here, expected a file of tokens"),
        (Array(#"{"data":[{"tokens":[1,2,3,4]},{"error":{}}]}"#.utf8), "'data[1]': found an item that failed"),
        (Array(#"{"data":[{"tokens":[1,2,3,4]}],"contract":"bb22"}"#.utf8), "contract 'bb22'"),
        (Array("\u{93}NUMPY".unicodeScalars.map { UInt8($0.value) }), "this is not an .npy file that is read here"),
    ] as [([UInt8], String)])
func tokenFilesAreRefused(bytes: [UInt8], says: String) {
    let error = #expect(throws: FormatError.self) {
        try TokenFile.read(bytes, contract: .steps, parameters: DecodeParameters(), limits: ServiceLimits())
    }
    #expect(error?.message.contains(says) == true, "\(error?.message ?? "")")
}

@Test func theWorkQueueIsAsWideAsItSays() {
    let queue = WorkQueue(width: 2)
    let counts = Mutex((active: 0, most: 0))
    let done = DispatchGroup()
    // The first two wait for each other.
    let meeting = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    for index in 0..<40 {
        done.enter()
        queue.run {
            counts.withLock { $0 = ($0.active + 1, max($0.most, $0.active + 1)) }
            let (own, other) = index == 0 ? meeting : (meeting.1, meeting.0)
            if index < 2 {
                own.signal()
                _ = other.comes()
            }
            Thread.sleep(forTimeInterval: 0.001)
            counts.withLock { $0.active -= 1 }
            done.leave()
        }
    }
    #expect(done.comes())
    #expect(counts.withLock { $0.most } == 2)
}

@Test func urgentWorkGoesFirst() {
    let queue = WorkQueue(width: 1)
    let order = Mutex<[Int]>([])
    let gate = DispatchSemaphore(value: 0)
    let done = DispatchGroup()
    queue.run { _ = gate.comes(within: Patience.long) }
    for (index, urgent) in [false, false, true, true].enumerated() {
        done.enter()
        queue.run(urgent: urgent) {
            order.withLock { $0.append(index) }
            done.leave()
        }
    }
    gate.signal()
    #expect(done.comes())
    #expect(order.withLock { $0 } == [2, 3, 0, 1])
}

/// Something that a body holds on to.
private final class Held: Sendable {}

@Test func finishedWorkIsLetGoWhileMoreWaits() {
    let queue = WorkQueue(width: 1)
    let (second, done) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
    let reached = DispatchSemaphore(value: 0)
    weak var held: Held?
    let gate = DispatchSemaphore(value: 0)
    do {
        let object = Held()
        held = object
        queue.run { _ = gate.comes(within: Patience.long) }
        queue.run { withExtendedLifetime(object) {} }
    }
    queue.run {
        reached.signal()
        _ = second.comes(within: Patience.long)
    }
    for _ in 0..<4 { queue.run { done.signal() } }
    #expect(held != nil)
    gate.signal()
    #expect(reached.comes())
    #expect(held == nil)
    second.signal()
    for _ in 0..<4 { #expect(done.comes()) }
}

@Test func aQueueThatNeverEmptiesDoesNotGrow() {
    var waiting = WorkQueue.Waiting()
    let order = Mutex<[Int]>([])
    var most = 0
    for index in 0..<3 { waiting.push { order.withLock { $0.append(index) } } }
    for index in 3..<1000 {
        waiting.push { order.withLock { $0.append(index) } }
        waiting.pop()?()
        most = max(most, waiting.room)
    }
    #expect(most <= 8)
    while let body = waiting.pop() { body() }
    #expect(order.withLock { $0 } == Array(0..<1000))
    #expect(waiting.room == 0)
}

@Test func codebooksAreFilesOfTheirValues() {
    let values: [Float] = [0, -0.0, 1.5, .infinity, .leastNonzeroMagnitude, -3]
    let octets = values.flatMap { value in (0..<4).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * $0)) } }
    for shape in [[6], [2, 3], [1, 2, 3]] {
        let file = ResponseJSON.codebook(CodebookTable(shape: shape, values: values))
        #expect(file == Npy.file(type: "<f4", shape: shape, values: octets))
        #expect(file.count == 128 + 24)
    }
    // Copied in one piece, not value by value.
    let large = CodebookTable(shape: [1 << 22, 1], values: [Float](repeating: 1, count: 1 << 22))
    let start = threadSeconds()
    #expect(ResponseJSON.codebook(large).count == 128 + (4 << 22))
    #expect(threadSeconds() - start < 0.5)
}

/// Processor time of the calling thread: a loaded machine doesn't lengthen it.
private func threadSeconds() -> Double {
    var now = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
}

@Test func failedItemsAreNamedOnlyAmongSeveral() throws {
    let failure = ServiceError(422, "odd", "it is odd")
    let source = SourceInfo(width: 1, height: 1, format: .png, decodingBytes: 1)
    let image = EncodedImage(source: source, tokens: TokenSequence(ids: [1, 2, 3, 4]))
    func errors(_ answer: [UInt8]) throws -> [JSONValue] {
        try #require(try JSONValue.parse(answer)["data"]?.arrayValue).compactMap { $0["error"] }
    }
    let named = { (name: String) -> JSONValue in
        [
            "message": .string(name.isEmpty ? "it is odd" : "\(name): it is odd"), "type": "invalid_request_error",
            "code": "odd", "param": name.isEmpty ? .null : .string(name),
        ]
    }
    func tokens(_ items: [Result<EncodedImage, ServiceError>]) -> [UInt8] {
        ResponseJSON.tokens(items, model: "m", contract: .steps, idSpace: .local)
    }
    #expect(try errors(tokens([.success(image), .failure(failure)])) == [named("input[1]")])
    #expect(try errors(tokens([.failure(failure)])) == [named("")])
    #expect(
        try errors(ResponseJSON.images([Result<[UInt8], ServiceError>.failure(failure), .success([1])])) == [
            named("tokens[0]")
        ])
    #expect(try errors(ResponseJSON.images([Result<[UInt8], ServiceError>.failure(failure)])) == [named("")])
}

@Test func imagesAreCountedBeforeIDsAreRead() throws {
    let body = TokenBody(contract: .steps, idSpace: .local, limits: ServiceLimits())
    // Before its 200 MB are missed.
    let array = npy("{'descr': '<u8', 'fortran_order': False, 'shape': (6250000, 4), }", [])
    let refused = #expect(throws: FormatError.self) { try body.array(array) }
    #expect(refused?.code == "too_many_images")
    let octets = [UInt8](repeating: 0, count: 32 << 20)
    let start = threadSeconds()
    let error = #expect(throws: FormatError.self) { try body.octets(octets) }
    #expect(error?.code == "too_many_images")
    #expect(threadSeconds() - start < 0.5)
    #expect(try body.octets([1, 0, 2, 0, 3, 0, 0, 1, 5, 0, 6, 0, 7, 0, 8, 0]) == [[1, 2, 3, 256], [5, 6, 7, 8]])
}

@Test func seedsArePublished() throws {
    #expect(DecodeParameters.seeds == 0...Int64.max)
    var options = OptionReader(json: JSONObject([("seed", .integer(-1))]))
    #expect(throws: ServiceError.self) { try DecodeParameters(reading: &options) }
}

@Test func theByteBudgetIsKept() {
    let budget = ByteBudget(bytes: 100)
    let counts = Mutex((held: 0, most: 0))
    DispatchQueue.concurrentPerform(iterations: 64) { index in
        // 200 counts as all of it.
        let bytes = [10, 60, 100, 200][index % 4]
        budget.hold(bytes) {
            counts.withLock { $0 = ($0.held + min(bytes, 100), max($0.most, $0.held + min(bytes, 100))) }
            Thread.sleep(forTimeInterval: 0.0005)
            counts.withLock { $0.held -= min(bytes, 100) }
        }
    }
    #expect(counts.withLock { $0.most } <= 100)
    #expect(counts.withLock { $0.held } == 0)
}
