import Dispatch
import HTTPServer
import JSON
import Models
import Patience
import Recipe
import Synchronization
import Testing
import TokenizerCore

@testable import Batching
@testable import TokenService

/// Same image, same tokens, bit for bit: whatever shares the batch, at whatever position, among another model's work,
/// with one thread or two, after a restart. In every precision that the processor has.
@Suite(.serialized, .timeLimit(.minutes(10))) struct BatchInvarianceTests {
    private static let sizes = 2...17

    /// Both families in each precision, their pictures, and what each gives alone on two threads.
    private struct Subjects {
        let folders: [TemporaryModel]
        let sources: [ModelSource]
        let pictures: [KnownPicture]
        let alone: [KnownAnswers]

        init() throws {
            folders = [try .sftok(.tiny), try .revq(.tiny, latentDeviation: 1)]
            sources = Precision.allCases.flatMap { [folders] precision in
                zip(["s", "r"], folders).map {
                    ModelSource(id: "\($0)-\(precision.rawValue)", folder: $1.path, precision: precision)
                }
            }
            let pictures = try (0..<BatchInvarianceTests.sizes.upperBound).map { try KnownPicture("batch\($0)") }
            self.pictures = pictures
            alone = try sources.map { try KnownAnswers($0, pictures, decodes: false) }
        }

        /// Pictures of a batch: the first at every position of one parity, others at the rest.
        func batch(of size: Int, parity: Int) -> [Int] {
            (0..<size).map { $0 % 2 == parity ? 0 : $0 }
        }
    }

    @Test func tokensDoNotDependOnTheBatch() throws {
        let subjects = try Subjects()
        // Every one of them a start of its own.
        for threads in [1, 2] { try check(subjects, threads: threads) }
    }

    /// On three replicas that share the weights, of which two have a thread more than they should.
    @Test func tokensDoNotDependOnWhatRunsBeside() throws {
        try check(try Subjects(), threads: 2, imagesAtOnce: 3)
    }

    private func check(_ subjects: Subjects, threads: Int, imagesAtOnce: Int = 1) throws {
        let engine = Engine(maxBatch: Self.sizes.upperBound)
        let settled = DispatchSemaphore(value: 0)
        let gate = Gate()
        let sources = subjects.sources
        engine.whenSettled { _ in settled.signal() }
        engine.start {
            try sources.map {
                let loaded = try ModelLoader.load($0, threads: threads, imagesAtOnce: imagesAtOnce)
                return ($0.id, loaded.tokenizer)
            }
                + [("hold", FakeTokenizer(.steps) { gate.pass() })]
        }
        try #require(settled.comes(within: Patience.long))
        try #require(engine.state == .ready)
        for size in Self.sizes {
            for parity in 0..<2 {
                let before = engine.statistics.batches[size]
                let order = subjects.batch(of: size, parity: parity)
                let results = try run(order, on: engine, gate, subjects)
                for (model, known) in subjects.alone.enumerated() {
                    #expect(
                        results[model] == order.map { known.tokens[$0] },
                        "\(sources[model].id), batch of \(size), \(threads) threads")
                }
                #expect(engine.statistics.batches[size] == before + sources.count)
            }
        }
        let ended = DispatchSemaphore(value: 0)
        engine.drain(grace: .seconds(60)) { _ in ended.signal() }
        #expect(ended.comes(within: Patience.long))
    }

    private func job(
        _ model: Engine.Model, _ image: RGBImage,
        _ completion: @escaping @Sendable (Job.Outcome<TokenSequence>) -> Void
    ) -> Job {
        Job(
            model: model,
            compute: { tokenizer throws(TokenizerError) in try tokenizer.encode(image, options: EncodeOptions()) },
            completion: completion)
    }

    /// One batch for each model, their jobs alternating in the queue; tokens by model and position.
    private func run(
        _ order: [Int], on engine: Engine, _ gate: Gate, _ subjects: Subjects
    ) throws -> [[[Int32]]] {
        let served = subjects.sources.count
        let results = Mutex([[[Int32]]](repeating: Array(repeating: [], count: order.count), count: served))
        let done = DispatchSemaphore(value: 0)
        let models = engine.models
        gate.close()
        let grey = RGBImage(width: 16, height: 16, pixels: [UInt8](repeating: 0, count: 768))
        engine.submit(job(models[served], grey) { _ in })
        try #require(gate.awaitArrival())
        for (position, picture) in order.enumerated() {
            for model in subjects.sources.indices {
                engine.submit(
                    job(models[model], subjects.pictures[picture].image) { outcome in
                        if case .success(let tokens) = outcome.result {
                            results.withLock { $0[model][position] = tokens.ids }
                        }
                        done.signal()
                    })
            }
        }
        gate.open()
        for _ in 0..<(served * order.count) { try #require(done.comes(within: Patience.long)) }
        return results.withLock { $0 }
    }

    /// The same through HTTP: one request of many pictures to each model, both at once.
    @Test func nothingDependsOnTheRequest() async throws {
        let subjects = try Subjects()
        let service = TokenService.patient()
        let server = HTTPServer(configuration: .init(listen: ["127.0.0.1:0"]), handler: service)
        guard case .tcp(_, let port)? = try server.start().first else {
            Issue.record("no address")
            return
        }
        let state = await withCheckedContinuation { done in
            service.start(subjects.sources, threads: 2, whenSettled: { done.resume(returning: $0) })
        }
        #expect(state == .ready)
        for parity in 0..<2 {
            let order = subjects.batch(of: Self.sizes.upperBound, parity: parity)
            let input = order.map { JSONValue.string(base64(subjects.pictures[$0].file)) }
            try await withThrowingTaskGroup(of: (Int, [UInt8]).self) { group in
                for (index, source) in subjects.sources.enumerated() {
                    let request: JSONValue = ["model": .string(source.id), "input": .array(input)]
                    let body = request.write()
                    group.addTask {
                        let answer = try await EndToEndTests.post("/v1/encode", "application/json", body, port: port)
                        return (index, answer.body)
                    }
                }
                for try await (index, body) in group {
                    let data = try JSONValue.parse(body)["data"]
                    for (position, picture) in order.enumerated() {
                        let expected = JSONValue(subjects.alone[index].tokens[picture])
                        #expect(data?[position]?["tokens"] == expected, "\(index), position \(position)")
                    }
                }
            }
        }
        #expect(await server.shutdown(grace: .seconds(5)) == 0)
        await withCheckedContinuation { done in service.finish(grace: .seconds(5)) { _ in done.resume() } }
    }
}
