import Dispatch
import Patience
import Synchronization
import Testing
import TokenizerCore

@testable import Batching

/// Several threads for the images of one batch.
struct WorkerThreadsTests {
    @Test(arguments: [(0, 1), (1, 1), (1, 4), (7, 1), (7, 2), (3, 8), (100, 3)])
    func everyItemIsDoneOnce(items: Int, count: Int) {
        let workers = WorkerThreads(stackBytes: 1 << 20)
        for _ in 0..<20 {
            let done = Mutex([Int](repeating: 0, count: items)), highest = Mutex(-1)
            workers.run(items, on: count) { worker, item in
                done.withLock { $0[item] += 1 }
                highest.withLock { $0 = max($0, worker) }
            }
            #expect(done.withLock { $0 } == [Int](repeating: 1, count: items))
            #expect(highest.withLock { $0 } < min(count, max(1, items)))
        }
    }

    /// Each of three waits for the other two.
    @Test func itemsRunSideBySide() {
        let workers = WorkerThreads(stackBytes: 1 << 20)
        let here = Mutex(0), all = DispatchSemaphore(value: 0)
        let met = Mutex(0)
        workers.run(3, on: 3) { _, _ in
            if here.withLock({
                $0 += 1; return $0
            }) == 3 {
                for _ in 0..<3 { all.signal() }
            }
            if all.comes() { met.withLock { $0 += 1 } }
        }
        #expect(met.withLock { $0 } == 3)
    }

    @Test(arguments: [(2, 2), (3, 2), (4, 4), (5, 3), (9, 8), (3, 5)])
    func noWorkerHasTwoItemsAtOnce(items: Int, count: Int) {
        let workers = WorkerThreads(stackBytes: 1 << 20)
        // Anew, and on threads that are there.
        for _ in 0..<2 {
            let rendezvous = Rendezvous(items: items, width: min(items, count))
            workers.run(items, on: count) { rendezvous.visit($0, item: $1) }
            #expect(rendezvous.clashes.isEmpty && !rendezvous.isStuck && rendezvous.visits == items)
        }
    }

    /// No two items of a worker are at once.
    @Test func aWorkerHasOneItemAtATime() {
        let workers = WorkerThreads(stackBytes: 1 << 20)
        let busy = Mutex([Bool](repeating: false, count: 3)), clashes = Mutex(0)
        workers.run(300, on: 3) { worker, _ in
            let wasBusy = busy.withLock { busy in
                defer { busy[worker] = true }
                return busy[worker]
            }
            if wasBusy { clashes.withLock { $0 += 1 } }
            busy.withLock { $0[worker] = false }
        }
        #expect(clashes.withLock { $0 } == 0)
    }
}

/// Holds visitors so that two that can use one place at once do: the first `width` until all of them are inside, and
/// the first item until all others are done. Gives up after ten seconds.
private final class Rendezvous: Sendable {
    private struct State {
        var inside: [Int: Int] = [:]
        var arrived = 0
        var left = 0
        var clashes: [Int] = []
        var isStuck = false
    }

    private let items: Int
    private let width: Int
    private let state = Mutex(State())
    private let allHere = DispatchSemaphore(value: 0)
    private let othersDone = DispatchSemaphore(value: 0)

    /// - Parameter width: how many are inside at once.
    init(items: Int, width: Int) { (self.items, self.width) = (items, width) }

    /// Places that had two visitors at once.
    var clashes: [Int] { state.withLock { $0.clashes } }
    /// Whether fewer than `width` met, or a wait ended without its signal.
    var isStuck: Bool { state.withLock { $0.isStuck } }
    var visits: Int { state.withLock { $0.left } }

    func visit(_ place: Int, item: Int) {
        let number = state.withLock { state in
            state.inside[place, default: 0] += 1
            if state.inside[place] != 1 { state.clashes.append(place) }
            state.arrived += 1
            return state.arrived
        }
        if number == width { for _ in 0..<width { allHere.signal() } }
        if number <= width { wait(for: allHere) }
        if item == 0, items > 1 { wait(for: othersDone) }
        let left = state.withLock { state in
            state.inside[place, default: 1] -= 1
            state.left += 1
            return state.left
        }
        if left == items - 1 { othersDone.signal() }
    }

    private func wait(for semaphore: DispatchSemaphore) {
        if semaphore.wait(timeout: .now() + 10) != .success { state.withLock { $0.isStuck = true } }
    }
}

/// A model with replicas, each of which gives its own number as the first token.
private final class Replicated: Tokenizer {
    let contract = FakeTokenizer().contract
    let replicas: [any Tokenizer]
    private let number: Int32
    private let hook: @Sendable (_ number: Int32, _ first: UInt8) -> Void

    init(_ number: Int32 = 0, replicas: Int = 0, hook: @escaping @Sendable (Int32, UInt8) -> Void) {
        self.number = number
        self.hook = hook
        self.replicas = (0..<replicas).map { Replicated(Int32($0 + 1), hook: hook) }
    }

    func encode(_ image: RGBImage, options: EncodeOptions) throws(TokenizerError) -> TokenSequence {
        guard image.pixels[0] != 127 else { return TokenSequence(ids: [0, 0]) }
        hook(number, image.pixels[0])
        guard image.pixels[0] != 255 else { throw .imageSize(found: [255], expected: [0]) }
        return TokenSequence(ids: [number, Int32(image.pixels[0])])
    }

    func decode(_ tokens: [Int32], options: DecodeOptions) throws(TokenizerError) -> RGBImage { picture(0) }

    func codebook() -> CodebookTable { CodebookTable(shape: [2, 1], values: [0.5, -0.5]) }
}

struct SideBySideTests {
    /// One job by itself runs on the model; those of a batch run on replicas, two at once, and one that fails harms no
    /// other.
    @Test func aBatchRunsOnReplicas() throws {
        let engine = Engine(maxBatch: 4)
        let settled = Inbox<Engine.State>(), outcomes = Inbox<(UInt8, TestOutcome)>()
        let here = Mutex(0), both = DispatchSemaphore(value: 0), gate = Gate()
        engine.whenSettled { settled.put($0) }
        engine.start {
            let model = Replicated(replicas: 2) { number, _ in
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

    /// Each image of a batch is held on its replica until as many as there are replicas meet, the first until all
    /// others are done: none of them finds another on its replica.
    @Test(arguments: [(2, 2), (3, 2), (4, 4), (5, 3), (9, 8), (3, 5)])
    func noReplicaRunsTwiceAtOnce(images: Int, replicas: Int) throws {
        let engine = Engine(maxBatch: images)
        let settled = Inbox<Engine.State>(), outcomes = Inbox<TestOutcome>()
        let gate = Gate()
        let rendezvous = Rendezvous(items: images, width: min(images, replicas))
        engine.whenSettled { settled.put($0) }
        engine.start {
            let model = Replicated(replicas: replicas) { number, first in
                number == 0 ? gate.pass() : rendezvous.visit(Int(number), item: Int(first))
            }
            return [("m", model)]
        }
        try #require(settled.take(1) == [.ready])
        let model = try #require(engine.models.first)
        func submit(_ first: UInt8) {
            engine.submit(Job(model: model, work: .encode(picture(first), EncodeOptions())) { outcomes.put($0) })
        }
        gate.close()
        submit(100)
        try #require(gate.awaitArrival())
        for first in 0..<images { submit(UInt8(first)) }
        gate.open()
        let tokens = outcomes.take(images + 1).compactMap { outcome in
            if case .success(.tokens(let tokens)) = outcome.result { tokens.ids } else { nil }
        }
        #expect(rendezvous.clashes.isEmpty && !rendezvous.isStuck && rendezvous.visits == images)
        #expect(tokens.map { $0[1] }.sorted() == (0..<images).map(Int32.init) + [100])
        #expect(engine.statistics.batches[images] >= 1)
        let ended = Inbox<Int>()
        engine.drain(grace: .seconds(5)) { ended.put($0) }
        #expect(ended.take(1) == [0])
    }
}
