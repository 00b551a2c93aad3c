import Dispatch
import TokenizerCore

// On the engine's thread.

extension Engine {
    func main(_ loader: Loader, stackBytes: Int) {
        var stock = Stock(lanes: Lanes(stackBytes: stackBytes))
        do {
            let loaded = try loader()
            for (_, tokenizer) in loaded { try warmUp(tokenizer, stock.lanes) }
            settle(.ready, models: take(loaded, into: &stock))
        } catch {
            settle(.failed("\(error)"), models: [])
            return endDrains()
        }
        while let batch = nextBatch(&stock) {
            compute(Batch(batch, stock), stock.lanes)
            beat(running: 0)
        }
        stock = Stock(lanes: stock.lanes)
        endReload(.failure(.notReady(.draining)))
        endDrains()
    }

    /// A batch's jobs with what runs them: the model itself, or its replicas where there are several of both.
    ///
    /// `@unchecked Sendable`: each tokenizer is used by one lane alone, and the engine's thread waits for all lanes.
    private struct Batch: @unchecked Sendable {
        let jobs: [Job]
        /// By lane.
        let tokenizers: [any Tokenizer]

        /// - Parameter jobs: of one model.
        init(_ jobs: [Job], _ stock: Stock) {
            self.jobs = jobs
            let tokenizer = jobs.first.flatMap { stock.tokenizers[$0.model.generation.number]?[$0.model.id] }
            let replicas = jobs.count > 1 ? tokenizer?.replicas ?? [] : []
            tokenizers = replicas.isEmpty ? tokenizer.map { [$0] } ?? [] : replicas
        }
    }

    private func compute(_ batch: Batch, _ lanes: Lanes) {
        lanes.run(batch.jobs.count, on: max(1, batch.tokenizers.count)) { [self] lane, index in
            beat()
            run(
                batch.jobs[index], on: batch.tokenizers.isEmpty ? nil : batch.tokenizers[lane],
                sideBySide: min(batch.jobs.count, batch.tokenizers.count))
            pulse.withLock { $0.running -= 1 }
        }
    }

    /// The thread ends here; where models couldn't be loaded and no drain has begun, that state stands.
    private func endDrains() {
        let completions = shared.withLock { shared in
            if shared.state == .draining { enter(.stopped, &shared) }
            defer { shared.drains = [:] }
            return shared.drains.values
        }
        for completion in completions { completion(0) }
    }

    /// One image through the encoder, and at the same time through each replica's. Decoding isn't tried: its first request is slower by its memory's first touch,
    /// a start by its whole work.
    func warmUp(_ tokenizer: any Tokenizer, _ lanes: Lanes) throws(TokenizerError) {
        tokenizer.onProgress { [weak self] in self?.pulse.withLock { $0.lastBeat = .now } }
        let size = tokenizer.contract.preprocessing.size
        let grey = RGBImage(width: size, height: size, pixels: [UInt8](repeating: 127, count: size * size * 3))
        _ = try tokenizer.encode(grey, options: EncodeOptions())
        let replicas = Replicas(tokenizers: tokenizer.replicas)
        lanes.run(replicas.tokenizers.count, on: replicas.tokenizers.count) { _, index in
            // What the model took, its replicas take.
            _ = try? replicas.tokenizers[index].encode(grey, options: EncodeOptions())
        }
    }

    /// `@unchecked Sendable`: each is used by one lane alone, and the engine's thread waits for all lanes.
    private struct Replicas: @unchecked Sendable {
        let tokenizers: [any Tokenizer]
    }

    /// A drain may have begun while models were loading: then that stands.
    private func settle(_ state: State, models: [Model]) {
        let bodies = shared.withLock { shared in
            shared.models = models
            shared.generations = Set(models.map(\.generation.number))
            if shared.state == .loading { enter(state, &shared) }
            defer { shared.whenSettled = [] }
            return shared.whenSettled
        }
        for body in bodies { body(state) }
    }

    private func run(_ job: Job, on tokenizer: (any Tokenizer)?, sideBySide: Int) {
        if job.isExpired(at: .now) { return job.fail(.expired) }
        guard let tokenizer else { return job.fail(.unknownModel(job.model.id)) }
        guard job.cancellation.begin() else { return job.fail(.cancelled) }
        job.run(on: tokenizer, sideBySide: sideBySide)
    }

    private func beat() { pulse.withLock { $0.lastBeat = .now } }

    func beat(running: Int) {
        pulse.withLock { pulse in
            let now = ContinuousClock.now
            pulse.lastBeat = now
            pulse.running = running
            guard running == 0, let since = pulse.busySince else { return }
            pulse.statistics.busy += now - since
            pulse.busySince = nil
        }
    }

    /// A batch has been taken out of the queue.
    private func noteBegin(of batch: [Job]) {
        pulse.withLock { pulse in
            pulse.running = batch.count
            pulse.busySince = .now
            pulse.statistics.batches[min(batch.count, pulse.statistics.batches.count - 1)] += 1
        }
    }

    /// Sleeps until there is work; `nil` at the end.
    private func nextBatch(_ stock: inout Stock) -> [Job]? {
        while true {
            doErrand(&stock)
            let now = ContinuousClock.now
            var isOver = false
            let plan = shared.withLock { shared in
                let plan = shared.planner.next(now: now)
                publish(shared.planner.count)
                switch plan.step {
                case .run(let batch): noteBegin(of: batch)
                case .wait: shared.isSleeping = true
                case .idle:
                    isOver = shared.state == .draining || shared.state == .stopped
                    shared.isSleeping = !isOver
                }
                return plan
            }
            for job in plan.expired { job.fail(.expired) }
            for job in plan.cancelled { job.fail(.cancelled) }
            switch plan.step {
            case .run(let batch): return batch
            case .idle where isOver: return nil
            // There are more errands.
            case _ where stock.candidate != nil: break
            case .wait(let moment): sleep(for: moment - now)
            case .idle: sleep(for: nil)
            }
        }
    }

    private func sleep(for span: Duration?) {
        if let span {
            let nanoseconds = Int(clamping: Int64(span / .nanoseconds(1)))
            _ = wake.wait(timeout: .now() + .nanoseconds(nanoseconds))
        } else {
            wake.wait()
        }
        shared.withLock { $0.isSleeping = false }
    }
}
