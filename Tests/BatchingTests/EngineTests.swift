import Foundation
import Patience
import Synchronization
import Testing
import TokenizerCore

@testable import Batching

/// An engine with the fake models "a" and "b", loaded; a gate before every image.
private struct Rig {
    let engine: Engine
    let gate = Gate()
    let outcomes = Inbox<(name: String, outcome: TestOutcome)>()

    init(maxBatch: Int = 8) throws {
        engine = Engine(maxBatch: maxBatch)
        let settled = Inbox<Engine.State>()
        let gate = gate
        engine.whenSettled { settled.put($0) }
        engine.start {
            [
                ("a", FakeTokenizer(fingerprint: "first") { gate.pass() }),
                ("b", FakeTokenizer(fingerprint: "second") { gate.pass() }),
            ]
        }
        try #require(settled.take(1) == [.ready])
    }

    func submit(
        _ name: String, _ work: TestWork, model: String = "a", deadline: ContinuousClock.Instant? = nil,
        cancellation: Cancellation = Cancellation()
    ) {
        let outcomes = outcomes
        engine.submit(
            Job(model: self.model(model), work: work, deadline: deadline, cancellation: cancellation) {
                outcomes.put((name, $0))
            })
    }

    /// The engine's model of that name, or one that it hasn't.
    func model(_ id: String) -> Engine.Model { engine.models.first { $0.id == id } ?? .stranger(id) }

    /// Results by name, as words.
    func results(_ count: Int) -> [String: String] {
        Dictionary(outcomes.take(count).map { ($0.name, described($0.outcome.result)) }) { first, _ in first }
    }

    func end() {
        let ended = Inbox<Int>()
        engine.drain(grace: .seconds(5)) { ended.put($0) }
        #expect(ended.take(1) == [0])
        #expect(engine.state == .stopped)
    }
}

private func described(_ result: Result<TestWork.Output, EngineFailure>) -> String {
    switch result {
    case .success(.tokens(let tokens)): "tokens \(tokens.ids)"
    case .success(.image(let image)): "image \(image.pixels[0])"
    case .success(.reconstruction(let tokens, let image)): "both \(tokens.ids) \(image.pixels[0])"
    case .success(.codebook(let table)): "codebook \(table.shape)"
    case .failure(let failure): "\(failure)"
    }
}

@Suite(.timeLimit(.minutes(5))) struct EngineTests {
    @Test func runsEveryKindOfWork() throws {
        let rig = try Rig()
        #expect(rig.engine.models.map(\.id) == ["a", "b"])
        #expect(rig.engine.models.map(\.contract.fingerprint) == ["first", "second"])
        rig.submit("encode", .encode(picture(5), EncodeOptions()))
        rig.submit("decode", .decode([7, 1], DecodeOptions()), model: "b")
        rig.submit("reconstruct", .reconstruct(picture(9), EncodeOptions(), DecodeOptions()))
        rig.submit("codebook", .codebook)
        rig.submit("stranger", .codebook, model: "c")
        #expect(
            rig.results(5) == [
                "encode": "tokens [5, 3]", "decode": "image 7", "reconstruct": "both [9, 3] 9",
                "codebook": "codebook [2, 1]", "stranger": "unknownModel(\"c\")",
            ])
        rig.end()
    }

    @Test func oneFailingImageHarmsNoOther() throws {
        let rig = try Rig()
        rig.gate.close()
        for (index, first) in [1, 255, 2].enumerated() {
            rig.submit("\(index)", .encode(picture(UInt8(first)), EncodeOptions()))
        }
        rig.submit("range", .decode([1, 16], DecodeOptions()))
        #expect(rig.gate.awaitArrival())
        rig.gate.open()
        let results = rig.results(4)
        #expect(results["0"] == "tokens [1, 3]")
        #expect(results["1"]?.hasPrefix("tokenizer(") == true)
        #expect(results["2"] == "tokens [2, 3]")
        #expect(results["range"]?.contains("tokenRange") == true)
        rig.end()
    }

    @Test func dropsExpiredAndCancelledWhileItIsBusy() throws {
        let rig = try Rig()
        rig.gate.close()
        rig.submit("busy", .encode(picture(1), EncodeOptions()))
        #expect(rig.gate.awaitArrival())
        let cancellation = Cancellation()
        rig.submit("late", .encode(picture(2), EncodeOptions()), deadline: .now - .seconds(1))
        rig.submit("cancelled", .encode(picture(3), EncodeOptions()), cancellation: cancellation)
        rig.submit("stays", .encode(picture(4), EncodeOptions()))
        #expect(rig.engine.waiting == 3)
        cancellation.cancel()
        rig.engine.sweep()
        #expect(rig.results(2) == ["late": "expired", "cancelled": "cancelled"])
        #expect(rig.engine.waiting == 1)
        rig.gate.open()
        let results = rig.results(2)
        #expect(results["busy"] == "tokens [1, 3]")
        #expect(results["stays"] == "tokens [4, 3]")
        rig.end()
    }

    @Test func dropsTheCancelledOfABatchThatHasBegun() throws {
        let rig = try Rig()
        let cancellation = Cancellation()
        rig.gate.close()
        rig.submit("hold", .encode(picture(1), EncodeOptions()))
        #expect(rig.gate.awaitArrival())
        rig.submit("first", .encode(picture(2), EncodeOptions()))
        rig.submit("second", .encode(picture(3), EncodeOptions()), cancellation: cancellation)
        rig.gate.close()
        rig.gate.open()
        #expect(rig.gate.awaitArrival())
        cancellation.cancel()
        rig.gate.open()
        #expect(rig.results(3) == ["hold": "tokens [1, 3]", "first": "tokens [2, 3]", "second": "cancelled"])
        rig.end()
    }

    @Test func tellsHowLongItHasBeenSilent() throws {
        let rig = try Rig()
        #expect(rig.engine.silence(now: .now + .seconds(100)) == .zero)
        rig.gate.close()
        rig.submit("busy", .encode(picture(1), EncodeOptions()))
        #expect(rig.gate.awaitArrival())
        #expect(rig.engine.silence() < .seconds(60))
        #expect(rig.engine.silence(now: .now + .seconds(100)) > .seconds(99))
        rig.gate.open()
        #expect(rig.results(1) == ["busy": "tokens [1, 3]"])
        rig.end()
        #expect(rig.engine.silence(now: .now + .seconds(100)) == .zero)
    }

    @Test func aLayerIsASignOfLife() throws {
        /// Two layers, with a stop before each.
        final class Layered: Tokenizer {
            let contract = FakeTokenizer().contract
            private let stop: @Sendable () -> Void
            private var progress: () -> Void = {}

            init(stop: @escaping @Sendable () -> Void) { self.stop = stop }

            func onProgress(_ body: @escaping () -> Void) { progress = body }

            func encode(_ image: RGBImage, options: EncodeOptions) throws(TokenizerError) -> TokenSequence {
                for _ in 0..<2 {
                    progress()
                    stop()
                }
                return TokenSequence(ids: [1, 1])
            }

            func decode(_ tokens: [Int32], options: DecodeOptions) throws(TokenizerError) -> RGBImage { picture(0) }
            func codebook() -> CodebookTable { CodebookTable(shape: [], values: []) }
        }
        let engine = Engine()
        let (gate, settled, done) = (Gate(), Inbox<Engine.State>(), Inbox<Bool>())
        engine.whenSettled { settled.put($0) }
        engine.start { [("a", Layered { gate.pass() })] }
        try #require(settled.take(1) == [.ready])
        gate.close()
        engine.submit(
            Job(model: try #require(engine.models.first), work: .encode(picture(1), EncodeOptions())) { _ in
                done.put(true)
            })
        try #require(gate.awaitArrival())
        let first = ContinuousClock.now
        #expect(engine.silence(now: first) > .zero)
        gate.close()
        gate.open()
        try #require(gate.awaitArrival())
        // The second layer began after `first`: at that moment it hadn't been silent at all.
        #expect(engine.silence(now: first) == .zero)
        gate.open()
        #expect(done.take(1) == [true])
    }

    @Test func countsItsBatchesAndTheTimeTheyTake() throws {
        let rig = try Rig(maxBatch: 2)
        #expect(rig.engine.statistics.busy == .zero)
        #expect(rig.engine.statistics.batches == [0, 0, 0])
        rig.gate.close()
        let start = ContinuousClock.now
        rig.submit("first", .encode(picture(1), EncodeOptions()))
        #expect(rig.gate.awaitArrival())
        let begun = ContinuousClock.now
        for name in ["second", "third", "fourth"] { rig.submit(name, .decode([7, 1], DecodeOptions())) }
        let held = ContinuousClock.now - begun
        // What runs is in it already.
        #expect(rig.engine.statistics.busy >= held)
        rig.gate.open()
        #expect(rig.results(4).count == 4)
        rig.end()
        let total = rig.engine.statistics
        #expect(total.batches == [0, 2, 1])
        #expect(total.busy >= held && total.busy <= .now - start)
        #expect(rig.engine.statistics.busy == total.busy)
    }

    @Test func finishesWhatItHasWhenItDrains() throws {
        let rig = try Rig()
        rig.gate.close()
        rig.submit("running", .encode(picture(1), EncodeOptions()))
        #expect(rig.gate.awaitArrival())
        rig.submit("queued", .encode(picture(2), EncodeOptions()), model: "b")
        let ended = Inbox<Int>()
        rig.engine.drain(grace: .seconds(30)) { ended.put($0) }
        rig.submit("new", .encode(picture(3), EncodeOptions()))
        #expect(rig.engine.state == .draining)
        rig.gate.open()
        #expect(ended.take(1) == [0])
        #expect(
            rig.results(3) == ["running": "tokens [1, 3]", "queued": "tokens [2, 3]", "new": "draining"])
        #expect(rig.engine.state == .stopped)
    }

    @Test func countsWhatTheGraceCutsOff() throws {
        let rig = try Rig()
        rig.gate.close()
        rig.submit("running", .encode(picture(1), EncodeOptions()))
        #expect(rig.gate.awaitArrival())
        rig.submit("queued", .encode(picture(2), EncodeOptions()))
        let ended = Inbox<Int>()
        rig.engine.drain(grace: .milliseconds(10)) { ended.put($0) }
        #expect(rig.results(1) == ["queued": "draining"])
        // The thread is still held: one that hangs holds no stop up.
        #expect(ended.take(1) == [2])
        rig.gate.open()
        #expect(rig.results(1)["running"] == "tokens [1, 3]")
        rig.end()
        #expect(ended.all == [2])
    }

    @Test func aDrainDuringLoadingEndsThoughLoadingFails() {
        struct Broken: Error {}
        let engine = Engine()
        let gate = Gate()
        gate.close()
        engine.start {
            gate.pass()
            throw Broken()
        }
        #expect(gate.awaitArrival())
        let ended = Inbox<Int>()
        engine.drain(grace: .seconds(3600)) { ended.put($0) }
        gate.open()
        #expect(ended.take(1) == [0])
        #expect(engine.state == .stopped)
    }

    @Test func deadlinesSpareTheRestOfARequestThatHasBegun() throws {
        let rig = try Rig()
        let cancellation = Cancellation()
        let deadline = ContinuousClock.now + .seconds(1)
        rig.gate.close()
        rig.submit("first", .encode(picture(1), EncodeOptions()), deadline: deadline, cancellation: cancellation)
        try #require(rig.gate.awaitArrival())
        rig.submit("second", .encode(picture(2), EncodeOptions()), deadline: deadline, cancellation: cancellation)
        rig.submit("other", .encode(picture(3), EncodeOptions()), deadline: deadline)
        Thread.sleep(until: Date() + max(0, (deadline - .now) / .seconds(1)) + 0.01)
        #expect(!cancellation.expire())
        rig.engine.sweep()
        #expect(rig.results(1) == ["other": "expired"])
        rig.gate.open()
        let results = rig.results(2)
        #expect(results["first"] == "tokens [1, 3]")
        #expect(results["second"] == "tokens [2, 3]")
        rig.end()
    }

    @Test func saysWhyModelsCouldNotBeLoaded() {
        struct Broken: Error, CustomStringConvertible { let description = "folder: there is no such folder" }
        let engine = Engine()
        let settled = Inbox<Engine.State>()
        let outcomes = Inbox<String>()
        let job = Job(model: .stranger("a"), work: .codebook) { outcomes.put(described($0.result)) }
        engine.submit(job)
        engine.whenSettled { settled.put($0) }
        engine.start { throw Broken() }
        #expect(settled.take(1) == [.failed("folder: there is no such folder")])
        engine.submit(job)
        #expect(outcomes.take(2) == ["loading", "failed(\"folder: there is no such folder\")"])
        let ended = Inbox<Int>()
        engine.drain(grace: .seconds(1)) { ended.put($0) }
        #expect(ended.take(1) == [0])
    }

    @Test func aModelThatFailsItsWarmUpIsNotServed() {
        final class Refusing: Tokenizer {
            let contract = FakeTokenizer().contract
            func encode(_ image: RGBImage, options: EncodeOptions) throws(TokenizerError) -> TokenSequence {
                throw .option(name: "warm", reason: "never")
            }
            func decode(_ tokens: [Int32], options: DecodeOptions) throws(TokenizerError) -> RGBImage { picture(0) }
            func codebook() -> CodebookTable { CodebookTable(shape: [], values: []) }
        }
        let engine = Engine()
        let settled = Inbox<Engine.State>()
        engine.whenSettled { settled.put($0) }
        engine.start { [("a", Refusing())] }
        #expect(settled.take(1).first.map { "\($0)" }?.contains("never") == true)
        #expect(engine.models.isEmpty)
    }

    @Test func allWorkRunsOnOneThreadOfItsOwn() throws {
        let threads = Mutex<Set<pthread_t>>([])
        let engine = Engine()
        let outcomes = Inbox<Int>()
        let note: @Sendable () -> Void = { _ = threads.withLock { $0.insert(pthread_self()) } }
        engine.start {
            note()
            return [("a", FakeTokenizer(hook: note))]
        }
        let settled = Inbox<Engine.State>()
        engine.whenSettled { settled.put($0) }
        _ = settled.take(1)
        let model = try #require(engine.models.first)
        for index in 0..<50 {
            engine.submit(
                Job(model: model, work: .encode(picture(1), EncodeOptions())) { _ in
                    note()
                    outcomes.put(index)
                })
        }
        #expect(outcomes.take(50) == Array(0..<50))
        #expect(threads.withLock { $0.count } == 1)
        #expect(!threads.withLock { $0.contains(pthread_self()) })
    }
}
