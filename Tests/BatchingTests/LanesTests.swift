import Dispatch
import Patience
import Synchronization
import Testing
import TokenizerCore

@testable import Batching

/// Several threads for the images of one batch.
struct LanesTests {
    @Test(arguments: [(0, 1), (1, 1), (1, 4), (7, 1), (7, 2), (3, 8), (100, 3)])
    func everyItemIsDoneOnce(items: Int, count: Int) {
        let lanes = Lanes(stackBytes: 1 << 20)
        for _ in 0..<20 {
            let done = Mutex([Int](repeating: 0, count: items)), highest = Mutex(-1)
            lanes.run(items, on: count) { lane, item in
                done.withLock { $0[item] += 1 }
                highest.withLock { $0 = max($0, lane) }
            }
            #expect(done.withLock { $0 } == [Int](repeating: 1, count: items))
            #expect(highest.withLock { $0 } < min(count, max(1, items)))
        }
    }

    /// Each of three waits for the other two.
    @Test func itemsRunSideBySide() {
        let lanes = Lanes(stackBytes: 1 << 20)
        let here = Mutex(0), all = DispatchSemaphore(value: 0)
        let met = Mutex(0)
        lanes.run(3, on: 3) { _, _ in
            if here.withLock({
                $0 += 1; return $0
            }) == 3 {
                for _ in 0..<3 { all.signal() }
            }
            if all.comes() { met.withLock { $0 += 1 } }
        }
        #expect(met.withLock { $0 } == 3)
    }

    /// No two items of a lane are at once.
    @Test func aLaneDoesOneThingAtATime() {
        let lanes = Lanes(stackBytes: 1 << 20)
        let busy = Mutex([Bool](repeating: false, count: 3)), clashes = Mutex(0)
        lanes.run(300, on: 3) { lane, _ in
            let wasBusy = busy.withLock { busy in
                defer { busy[lane] = true }
                return busy[lane]
            }
            if wasBusy { clashes.withLock { $0 += 1 } }
            busy.withLock { $0[lane] = false }
        }
        #expect(clashes.withLock { $0 } == 0)
    }
}

/// A model with replicas, each of which gives its own number as the first token.
private final class Replicated: Tokenizer {
    let contract = FakeTokenizer().contract
    let replicas: [any Tokenizer]
    private let number: Int32
    private let hook: @Sendable (Int32) -> Void

    init(_ number: Int32 = 0, replicas: Int = 0, hook: @escaping @Sendable (Int32) -> Void) {
        self.number = number
        self.hook = hook
        self.replicas = (0..<replicas).map { Replicated(Int32($0 + 1), hook: hook) }
    }

    func encode(_ image: RGBImage, options: EncodeOptions) throws(TokenizerError) -> TokenSequence {
        guard image.pixels[0] != 127 else { return TokenSequence(ids: [0, 0]) }
        hook(number)
        guard image.pixels[0] != 255 else { throw .imageSize(found: [255], expected: [0]) }
        return TokenSequence(ids: [number, Int32(image.pixels[0])])
    }

    func decode(_ tokens: [Int32], options: DecodeOptions) throws(TokenizerError) -> RGBImage { picture(0) }

    func codebook() -> CodebookTable { CodebookTable(shape: [2, 1], values: [0.5, -0.5]) }
}

struct SideBySideTests {
    /// One job by itself runs on the model; those of a batch run on replicas, two at once, and one that fails harms no other.
    @Test func aBatchRunsOnReplicas() throws {
        let engine = Engine(maxBatch: 4)
        let settled = Inbox<Engine.State>(), outcomes = Inbox<(UInt8, Job.Outcome)>()
        let here = Mutex(0), both = DispatchSemaphore(value: 0), gate = Gate()
        engine.whenSettled { settled.put($0) }
        engine.start {
            let model = Replicated(replicas: 2) { number in
                guard number > 0 else { return gate.pass() }
                // Until two are here.
                if here.withLock({
                    $0 += 1; return $0 % 2 == 0
                }) {
                    for _ in 0..<2 { both.signal() }
                }
                #expect(both.comes())
            }
            return [("m", model)]
        }
        try #require(settled.take(1) == [.ready])
        let model = try #require(engine.models.first)
        func submit(_ first: UInt8) {
            engine.submit(
                Job(model: model, work: .encode(picture(first), EncodeOptions())) { outcomes.put((first, $0)) })
        }
        gate.close()
        submit(1)
        try #require(gate.awaitArrival())
        for first in [2, 3, 255, 4] as [UInt8] { submit(first) }
        gate.open()
        var numbers: [UInt8: Int32] = [:], failures = 0
        for (first, outcome) in outcomes.take(5) {
            #expect(first == 1 ? outcome.pace == outcome.inference : outcome.pace <= outcome.inference)
            switch outcome.result {
            case .success(.tokens(let tokens)):
                numbers[first] = tokens.ids[0]
                #expect(tokens.ids[1] == Int32(first))
            default: failures += 1
            }
        }
        #expect(failures == 1 && numbers[1] == 0)
        #expect([2, 3, 4].allSatisfy { [1, 2].contains(numbers[$0] ?? 0) })
        let ended = Inbox<Int>()
        engine.drain(grace: .seconds(5)) { ended.put($0) }
        #expect(ended.take(1) == [0])
    }
}
