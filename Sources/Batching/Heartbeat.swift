/// What probes and metrics read of the engine. It has a lock of its own, so that a probe never waits for the queue's.
struct Heartbeat {
    var state = Engine.State.loading
    /// The engine's latest sign of life.
    var lastBeat = ContinuousClock.now
    /// Jobs in the queue.
    var waiting = 0
    /// Jobs that the engine's thread has taken out of the queue and not finished.
    var running = 0
    /// When the current batch was taken out of the queue; `nil` between batches.
    var busySince: ContinuousClock.Instant?
    var statistics: Engine.Statistics

    /// Work that meets an idle engine starts the clock of `Engine.silence`.
    mutating func setWaiting(_ count: Int) {
        if waiting + running == 0 { lastBeat = .now }
        waiting = count
    }

    mutating func begin(batchOf count: Int) {
        running = count
        busySince = .now
        statistics.batches[min(count, statistics.batches.count - 1)] += 1
    }

    /// Nothing runs any more: a batch, or the warm-up of a model, has ended.
    mutating func end() {
        let now = ContinuousClock.now
        lastBeat = now
        running = 0
        guard let since = busySince else { return }
        statistics.busy += now - since
        busySince = nil
    }
}
