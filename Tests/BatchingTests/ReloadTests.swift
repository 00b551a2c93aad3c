import Glibc
import Patience
import Synchronization
import Testing
import TokenizerCore

@testable import Batching

/// Which fake models are in memory.
private final class Census: Sendable {
    private let alive = Mutex<[String]>([])

    var names: [String] { alive.withLock { $0.sorted() } }

    func born(_ name: String) { alive.withLock { $0.append(name) } }

    func died(_ name: String) {
        alive.withLock { alive in
            if let index = alive.firstIndex(of: name) { alive.remove(at: index) }
        }
    }
}

/// A model whose tokens tell who made them: its number, twice.
private final class Numbered: Tokenizer {
    let contract: TokenContract
    private let number: Int32
    private let census: Census
    private let hook: @Sendable () throws(TokenizerError) -> Void

    init(
        _ fingerprint: String, _ number: Int32, _ census: Census,
        hook: @escaping @Sendable () throws(TokenizerError) -> Void = {}
    ) {
        contract = FakeTokenizer(fingerprint: fingerprint).contract
        self.number = number
        self.census = census
        self.hook = hook
        census.born(fingerprint)
    }

    deinit { census.died(contract.fingerprint) }

    func encode(_ image: RGBImage, options: EncodeOptions) throws(TokenizerError) -> TokenSequence {
        try hook()
        return TokenSequence(ids: [number, number])
    }

    func decode(_ tokens: [Int32], options: DecodeOptions) throws(TokenizerError) -> RGBImage {
        picture(UInt8(number))
    }

    func codebook() -> CodebookTable { CodebookTable(shape: [1], values: [Float(number)]) }
}

private typealias Outcome = Result<Void, ReloadFailure>

private func described(_ outcome: Outcome) -> String {
    switch outcome {
    case .success: "replaced"
    case .failure(let failure): "\(failure)"
    }
}

/// An engine with generation 1 of the models "a" and "b" loaded.
private struct Rig {
    let engine = Engine()
    let census = Census()
    let gate = Gate()
    let reloads = Inbox<String>()
    /// Models in memory whenever some have been discarded.
    let discards = Inbox<[String]>()
    let results = Inbox<String>()

    init() throws {
        let settled = Inbox<Engine.State>()
        engine.whenSettled { settled.put($0) }
        engine.start(generation(1))
        try #require(settled.take(1) == [.ready])
    }

    func generation(_ number: Int32) -> Engine.Loader {
        let (census, gate) = (census, gate)
        return {
            ["a", "b"].map { ($0, Numbered("\($0)\(number)", number, census) { gate.pass() }) }
        }
    }

    func reload(_ loader: @escaping Engine.Loader) {
        let (reloads, discards, census) = (reloads, discards, census)
        engine.reload(
            loader, whenDiscarded: { discards.put(census.names) }, completion: { reloads.put(described($0)) })
    }

    func model(_ id: String = "a") throws -> Engine.Model { try #require(engine.models.first { $0.id == id }) }

    func submit(_ name: String, to model: Engine.Model) {
        let results = results
        engine.submit(
            Job(model: model, work: .encode(picture(1), EncodeOptions())) { outcome in
                switch outcome.result {
                case .success(.tokens(let tokens)): results.put("\(name) \(tokens.ids[0])")
                case .success: results.put("\(name) other work")
                case .failure(let failure): results.put("\(name) \(failure)")
                }
            })
    }

    /// Waits until just these models are in memory.
    func awaitCensus(_ names: [String]) -> Bool { Patience.eventually { census.names == names } }

    func end() {
        let ended = Inbox<Int>()
        engine.drain(grace: .seconds(30)) { ended.put($0) }
        #expect(ended.take(1) == [0])
        #expect(awaitCensus([]))
    }
}

@Suite(.timeLimit(.minutes(5))) struct ReloadTests {
    @Test func newRequestsGetTheNewModelsAndTheOldOnesAreDiscarded() throws {
        let rig = try Rig()
        rig.submit("before", to: try rig.model())
        #expect(rig.results.take(1) == ["before 1"])
        rig.reload(rig.generation(2))
        #expect(rig.reloads.take(1) == ["replaced"])
        #expect(rig.engine.models.map(\.contract.fingerprint) == ["a2", "b2"])
        #expect(rig.engine.state == .ready)
        rig.submit("after", to: try rig.model())
        #expect(rig.results.take(1).last == "after 2")
        #expect(rig.discards.take(1) == [["a2", "b2"]])
        rig.end()
    }

    @Test func aRequestKeepsTheModelItWasAdmittedFor() throws {
        let rig = try Rig()
        var admitted: Engine.Model? = try rig.model()
        rig.gate.close()
        rig.submit("running", to: try rig.model("b"))
        try #require(rig.gate.awaitArrival())
        rig.submit("queued", to: try #require(admitted))
        rig.reload(rig.generation(2))
        // The engine is still held: the old ones serve.
        #expect(rig.engine.models.map(\.contract.fingerprint) == ["a1", "b1"])
        rig.gate.open()
        #expect(rig.reloads.take(1) == ["replaced"])
        rig.submit("late image", to: try #require(admitted))
        rig.submit("new", to: try rig.model())
        #expect(rig.results.take(4).sorted() == ["late image 1", "new 2", "queued 1", "running 1"])
        #expect(rig.census.names == ["a1", "a2", "b1", "b2"])
        admitted = nil
        #expect(rig.awaitCensus(["a2", "b2"]))
        rig.end()
    }

    @Test func noThirdGenerationIsLoadedWhileTheFirstIsNeeded() throws {
        let rig = try Rig()
        var admitted: Engine.Model? = try rig.model()
        rig.reload(rig.generation(2))
        #expect(rig.reloads.take(1) == ["replaced"])
        rig.reload(rig.generation(3))
        rig.reload(rig.generation(4))
        #expect(rig.reloads.take(1).last == "they are being reloaded")
        for index in 0..<3 {
            rig.submit("\(index)", to: try rig.model())
            #expect(rig.results.take(1).last == "\(index) 2")
            #expect(rig.census.names == ["a1", "a2", "b1", "b2"])
        }
        #expect(admitted?.contract.fingerprint == "a1")
        admitted = nil
        #expect(rig.reloads.take(1).last == "replaced")
        #expect(rig.awaitCensus(["a3", "b3"]))
        rig.end()
    }

    @Test func modelsThatCannotBeLoadedChangeNothing() throws {
        struct Broken: Error, CustomStringConvertible { let description = "folder: there is no such folder" }
        let rig = try Rig()
        rig.reload { throw Broken() }
        #expect(rig.reloads.take(1) == ["folder: there is no such folder"])
        rig.submit("after", to: try rig.model())
        #expect(rig.results.take(1) == ["after 1"])
        #expect(rig.engine.state == .ready)
        #expect(rig.census.names == ["a1", "b1"])
        rig.reload(rig.generation(2))
        #expect(rig.reloads.take(1).last == "replaced")
        rig.end()
    }

    @Test func aModelThatRefusesAnImageChangesNothing() throws {
        let rig = try Rig()
        let census = rig.census
        rig.reload {
            let refusing = Numbered("b2", 2, census) { () throws(TokenizerError) in
                throw .option(name: "warm", reason: "never")
            }
            return [("a", Numbered("a2", 2, census)), ("b", refusing)]
        }
        let outcome = rig.reloads.take(1)
        #expect(outcome.first?.hasPrefix("b: no image goes through it: ") == true, "\(outcome)")
        #expect(rig.engine.models.map(\.contract.fingerprint) == ["a1", "b1"])
        rig.submit("after", to: try rig.model())
        #expect(rig.results.take(1) == ["after 1"])
        #expect(rig.awaitCensus(["a1", "b1"]))
        rig.end()
    }

    @Test func batchesRunBetweenTheWarmUps() throws {
        let rig = try Rig()
        let order = Inbox<String>()
        let census = rig.census
        let (first, second) = (Gate(), Gate())
        first.close()
        second.close()
        rig.reload {
            [
                (
                    "a",
                    Numbered("a2", 2, census) {
                        first.pass(); order.put("a2")
                    }
                ),
                (
                    "b",
                    Numbered("b2", 2, census) {
                        second.pass(); order.put("b2")
                    }
                ),
            ]
        }
        try #require(first.awaitArrival())
        #expect(rig.engine.state == .ready)
        rig.engine.submit(
            Job(model: try rig.model(), work: .encode(picture(1), EncodeOptions())) { _ in order.put("job") })
        // Work waits while a model is warmed up: were it to hang, that would be seen.
        #expect(rig.engine.silence(now: .now + .seconds(100)) > .seconds(99))
        first.open()
        try #require(second.awaitArrival())
        second.open()
        #expect(order.take(3) == ["a2", "job", "b2"])
        #expect(rig.reloads.take(1) == ["replaced"])
        #expect(rig.engine.silence(now: .now + .seconds(100)) == .zero)
        rig.end()
    }

    @Test func aDrainDoesNotWaitForAReload() throws {
        let rig = try Rig()
        let gate = Gate()
        let generation = rig.generation(2)
        gate.close()
        rig.reload {
            gate.pass()
            return try generation()
        }
        try #require(gate.awaitArrival())
        rig.submit("accepted", to: try rig.model())
        let ended = Inbox<Int>()
        rig.engine.drain(grace: .seconds(3600)) { ended.put($0) }
        #expect(ended.take(1) == [0])
        #expect(rig.results.take(1) == ["accepted 1"])
        #expect(rig.reloads.take(1) == ["draining"])
        gate.open()
        #expect(rig.awaitCensus([]))
        rig.reload(rig.generation(3))
        #expect(rig.reloads.take(1).last == "stopped")
        #expect(rig.reloads.all.count == 2)
    }

    @Test func aReloadBeforeTheFirstLoadFailsAsLoading() {
        let engine = Engine()
        let outcomes = Inbox<String>()
        engine.reload({ [] }, completion: { outcomes.put(described($0)) })
        #expect(outcomes.take(1) == ["loading"])
    }

    @Test func batchesOfTwoGenerationsAreNotMixed() throws {
        let rig = try Rig()
        let old = try rig.model()
        rig.reload(rig.generation(2))
        #expect(rig.reloads.take(1) == ["replaced"])
        let new = try rig.model()
        #expect(old != new && old.id == new.id)
        rig.gate.close()
        rig.submit("held", to: try rig.model("b"))
        try #require(rig.gate.awaitArrival())
        for index in 0..<3 {
            rig.submit("\(index)", to: old)
            rig.submit("\(index)", to: new)
        }
        rig.gate.open()
        #expect(rig.results.take(7) == ["held 2", "0 1", "1 1", "2 1", "0 2", "1 2", "2 2"])
        #expect(rig.engine.statistics.batches[3] == 2)
        rig.end()
    }
}
