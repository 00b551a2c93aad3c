import Dispatch
import TokenizerCore

/// What the engine's thread runs, and all that it owns: the models, those of a reload that are not served yet, and the
/// worker threads. Not `Sendable`: it is created on that thread, which alone reaches its state; other threads speak to
/// it through `engine`.
final class EngineLoop {
    /// Models that a reload has loaded, of which the first `warm` have had their image.
    private struct Candidate {
        let models: [(id: String, tokenizer: any Tokenizer)]
        var warm = 0

        var isWarm: Bool { warm == models.count }
    }

    private let engine: Engine
    private let workers: WorkerThreads
    /// By generation and id.
    private var models: [Int: [String: any Tokenizer]] = [:]
    private var latestGeneration = 0
    private var candidate: Candidate?
    /// Of the latest reload that ended well.
    private var whenDiscarded: @Sendable () -> Void = {}

    init(engine: Engine, stackBytes: Int) {
        self.engine = engine
        workers = WorkerThreads(stackBytes: stackBytes)
    }

    /// Loads, serves until the engine is drained, and discards the models.
    func run(_ loader: Engine.Loader) {
        do {
            let loaded = try loader()
            for (_, tokenizer) in loaded { try warmUp(tokenizer) }
            engine.settle(.ready, models: add(loaded))
        } catch {
            engine.settle(.failed("\(error)"), models: [])
            return engine.endDrains()
        }
        while let batch = nextBatch() {
            compute(batch)
            engine.heartbeat.withLock { $0.end() }
        }
        models = [:]
        candidate = nil
        whenDiscarded = {}
        engine.endReload(.failure(.notReady(.draining)))
        engine.endDrains()
    }

    // MARK: - Batches

    /// Sleeps until there is work; `nil` at the end.
    private func nextBatch() -> [Job]? {
        while true {
            advanceReload()
            let now = ContinuousClock.now
            let (plan, isOver) = engine.plan(now: now)
            for job in plan.expired { job.fail(.expired) }
            for job in plan.cancelled { job.fail(.cancelled) }
            switch plan.step {
            case .run(let batch): return batch
            case .idle where isOver: return nil
            // The next step of the reload doesn't wait for a batch.
            case _ where candidate != nil: break
            case .wait(let moment): engine.sleep(for: moment - now)
            case .idle: engine.sleep(for: nil)
            }
        }
    }

    /// Runs jobs of one model: on the model itself, or on its replicas where there are several of both.
    private func compute(_ jobs: [Job]) {
        let tokenizer = jobs.first.flatMap { models[$0.model.generation.number]?[$0.model.id] }
        guard let tokenizer else {
            for job in jobs {
                engine.beat()
                job.fail(job.isExpired(at: .now) ? .expired : .unknownModel(job.model.id))
                engine.heartbeat.withLock { $0.running -= 1 }
            }
            return
        }
        let replicas = jobs.count > 1 ? tokenizer.replicas : []
        let tokenizers = replicas.isEmpty ? [tokenizer] : replicas
        let sideBySide = min(jobs.count, tokenizers.count)
        workers.run(jobs.count, on: tokenizers) { [engine] tokenizer, index in
            engine.beat()
            Self.run(jobs[index], on: tokenizer, sideBySide: sideBySide)
            engine.heartbeat.withLock { $0.running -= 1 }
        }
    }

    private static func run(_ job: Job, on tokenizer: any Tokenizer, sideBySide: Int) {
        if job.isExpired(at: .now) { return job.fail(.expired) }
        guard job.cancellation.begin() else { return job.fail(.cancelled) }
        job.run(on: tokenizer, sideBySide: sideBySide)
    }

    // MARK: - Models

    /// One image through the encoder, then one through each replica's, all at the same time. Decoding isn't tried: its
    /// first request is slower only by its memory's first touch, while a start would be slower by the whole of its
    /// work.
    private func warmUp(_ tokenizer: any Tokenizer) throws(TokenizerError) {
        tokenizer.onProgress { [weak engine] in engine?.beat() }
        let size = tokenizer.contract.preprocessing.size
        let grey = RGBImage(width: size, height: size, pixels: [UInt8](repeating: 127, count: size * size * 3))
        _ = try tokenizer.encode(grey, options: EncodeOptions())
        let replicas = tokenizer.replicas
        workers.run(replicas.count, on: replicas) { replica, _ in
            // What the model accepted, its replicas accept.
            _ = try? replica.encode(grey, options: EncodeOptions())
        }
    }

    /// Makes a generation of what has been loaded.
    private func add(_ loaded: [(id: String, tokenizer: any Tokenizer)]) -> [Engine.Model] {
        latestGeneration += 1
        models[latestGeneration] = Dictionary(loaded) { first, _ in first }
        let generation = Generation(number: latestGeneration) { [weak engine] in engine?.generationIsUnused($0) }
        return loaded.map { Engine.Model(id: $0.id, contract: $0.tokenizer.contract, generation: generation) }
    }

    // MARK: - Reload

    /// A reload's work between two batches: at most one image's.
    private func advanceReload() {
        discardUnused()
        takeLoaded()
        if engine.state != .ready { candidate = nil }
        guard let isWarm = candidate?.isWarm else { return }
        if isWarm { return install() }
        engine.heartbeat.withLock { $0.end() }
        let failure = warmUpNext()
        engine.heartbeat.withLock { $0.end() }
        if let failure { engine.endReload(.failure(.failed(failure))) }
    }

    private func discardUnused() {
        let numbers = engine.unused.withLock { numbers in
            defer { numbers = [] }
            return numbers
        }
        guard !numbers.isEmpty else { return }
        for number in numbers { models[number] = nil }
        engine.shared.withLock { $0.generations.subtract(numbers) }
        whenDiscarded()
        engine.beginLoading()
    }

    private func takeLoaded() {
        let loaded = engine.shared.withLock { shared in
            defer { shared.reload?.loaded = nil }
            return shared.reload?.loaded
        }
        if let models = loaded?.take() { candidate = Candidate(models: models) }
    }

    /// - Returns: why there is no candidate any more.
    private func warmUpNext() -> String? {
        guard let candidate else { return nil }
        let (id, tokenizer) = candidate.models[candidate.warm]
        do {
            try warmUp(tokenizer)
            self.candidate?.warm += 1
            return nil
        } catch {
            self.candidate = nil
            return "\(id): no image goes through it: \(error)"
        }
    }

    /// From here on new requests get the candidate's models.
    private func install() {
        let models = add(candidate?.models ?? [])
        candidate = nil
        // The earlier models outlive the lock: their generation may end with them, which takes locks of its own.
        let (earlier, whenDiscarded) = engine.shared.withLock { shared in
            defer { shared.models = models }
            shared.generations.insert(latestGeneration)
            return (shared.models, shared.reload?.whenDiscarded)
        }
        if let whenDiscarded { self.whenDiscarded = whenDiscarded }
        engine.endReload(.success(()))
        withExtendedLifetime(earlier) {}
    }
}
