import Dispatch
import Foundation
import Synchronization
import TokenizerCore

/// The handle of one thread that owns all models, and the queue before it.
///
/// Models aren't `Sendable`: they belong to the thread's `EngineLoop`. Images of a batch run one by one, or side by
/// side on replicas of a model that has such, never as one computation: one that fails harms no other, and no result
/// depends on what else is in the batch.
public final class Engine: Sendable {
    public enum State: Sendable, Equatable {
        case loading
        case ready
        case failed(String)
        /// Finishes what it has.
        case draining
        case stopped
    }

    /// A model's name in requests, and what it promises. A reference keeps it loaded after a reload has replaced it: a
    /// request computes all of its images by the model it was admitted for.
    public struct Model: Sendable, Hashable {
        public let id: String
        public let contract: TokenContract
        let generation: Generation
    }

    public typealias Loader = @Sendable () throws -> [(id: String, tokenizer: any Tokenizer)]

    /// The queue, and what the loop publishes.
    struct Shared {
        var state = State.loading
        var models: [Model] = []
        /// Numbers of what is loaded: the latest, and those before it that a request still needs.
        var generations: Set<Int> = []
        var reload: Reload?
        var planner: Planner<Job>
        var isSleeping = false
        var whenSettled: [@Sendable (State) -> Void] = []
        /// Completions of drains, by their number; the code that removes one calls it.
        var drains: [Int: @Sendable (_ lost: Int) -> Void] = [:]
        var drainCount = 0
    }

    /// What the engine has done since its start.
    public struct Statistics: Sendable {
        /// Time in which the thread had work; what runs is included.
        public internal(set) var busy = Duration.zero
        /// Batches by the number of their jobs, from none to the most.
        public internal(set) var batches: [Int]
    }

    let shared: Mutex<Shared>
    let heartbeat: Mutex<Heartbeat>
    /// Generations without references. They have a lock of their own, as the last reference may end under that of
    /// `shared`.
    let unused = Mutex<[Int]>([])
    /// The thread sleeps on it; monotonic, unlike a condition variable's default clock.
    let wake = DispatchSemaphore(value: 0)

    public init(maxBatch: Int = 8, maxDelay: Duration = .zero) {
        let planner = Planner<Job>(maxBatch: maxBatch, maxDelay: maxDelay)
        let batches = [Int](repeating: 0, count: planner.maxBatch + 1)
        shared = Mutex(Shared(planner: planner))
        heartbeat = Mutex(Heartbeat(statistics: Statistics(batches: batches)))
    }

    /// Starts the thread: loads, sends one image through every model, then serves. Once only.
    ///
    /// - Parameter stackBytes: of each thread that computes; deep networks recurse little, but C libraries like room.
    public func start(stackBytes: Int = 16 << 20, _ loader: @escaping Loader) {
        let thread = Thread { EngineLoop(engine: self, stackBytes: stackBytes).run(loader) }
        thread.stackSize = stackBytes
        thread.start()
    }

    // MARK: - From other threads

    public var state: State { heartbeat.withLock { $0.state } }

    /// What is loaded, in the loader's order; empty before `ready`.
    public var models: [Model] { shared.withLock { $0.models } }

    /// Images that wait for the engine.
    public var waiting: Int { heartbeat.withLock { $0.waiting } }

    public var statistics: Statistics {
        heartbeat.withLock { heartbeat in
            var statistics = heartbeat.statistics
            if let since = heartbeat.busySince { statistics.busy += .now - since }
            return statistics
        }
    }

    /// How long the thread has shown no sign of life although it has work; zero where it has none. It shows one before
    /// and after every image, and at every layer of a model that tells its progress.
    public func silence(now: ContinuousClock.Instant = .now) -> Duration {
        heartbeat.withLock { $0.waiting + $0.running > 0 ? max(.zero, now - $0.lastBeat) : .zero }
    }

    /// Calls `body` once the models are loaded or can't be.
    public func whenSettled(_ body: @escaping @Sendable (State) -> Void) {
        let settled: State? = shared.withLock { shared in
            if shared.state != .loading { return shared.state }
            shared.whenSettled.append(body)
            return nil
        }
        if let settled { body(settled) }
    }

    /// Queues a job. Its completion is called in any case.
    public func submit(_ job: Job) {
        let refusal: EngineFailure? = shared.withLock { shared in
            switch shared.state {
            case .loading: return .loading
            case .failed(let message): return .failed(message)
            case .draining, .stopped: return .draining
            case .ready: break
            }
            guard shared.generations.contains(job.model.generation.number) else { return .unknownModel(job.model.id) }
            shared.planner.add(job)
            publish(shared.planner.count)
            wakeUp(&shared)
            return nil
        }
        if let refusal { job.fail(refusal) }
    }

    /// Takes what has expired or been cancelled out of the queue now, though the thread may be busy.
    public func sweep(now: ContinuousClock.Instant = .now) {
        let (expired, cancelled) = shared.withLock { shared in
            defer { publish(shared.planner.count) }
            return shared.planner.sweep(now: now)
        }
        for job in expired { job.fail(.expired) }
        for job in cancelled { job.fail(.cancelled) }
    }

    /// Takes nothing new, finishes what is queued, discards the models and ends the thread.
    ///
    /// - Parameter grace: after it, what is still queued fails with `draining`.
    /// - Parameter completion: once the thread has ended its work, or after `grace` though it may still run or hang;
    ///   once, with the number of jobs that weren't finished.
    public func drain(grace: Duration, completion: @escaping @Sendable (_ lost: Int) -> Void) {
        let number: Int? = shared.withLock { shared in
            switch shared.state {
            case .stopped, .failed: return nil
            case .loading, .ready, .draining:
                enter(.draining, &shared)
                shared.drainCount += 1
                shared.drains[shared.drainCount] = completion
                wakeUp(&shared)
                return shared.drainCount
            }
        }
        guard let number else { return completion(0) }
        let seconds = max(0, grace / .seconds(1))
        DispatchQueue.global().asyncAfter(deadline: .now() + seconds) { self.cutOff(number) }
    }

    /// The end of a drain's grace.
    private func cutOff(_ number: Int) {
        let (completion, left, running) = shared.withLock { shared in
            defer { publish(0) }
            let running = heartbeat.withLock { $0.running }
            return (shared.drains.removeValue(forKey: number), shared.planner.removeAll(), running)
        }
        for job in left { job.fail(.draining) }
        completion?(left.count + running)
    }

    private func enter(_ state: State, _ shared: inout Shared) {
        shared.state = state
        heartbeat.withLock { $0.state = state }
    }

    private func wakeUp(_ shared: inout Shared) {
        guard shared.isSleeping else { return }
        shared.isSleeping = false
        wake.signal()
    }

    private func publish(_ waiting: Int) {
        heartbeat.withLock { $0.setWaiting(waiting) }
    }

    func beat() { heartbeat.withLock { $0.lastBeat = .now } }

    // MARK: - From the loop

    /// Tells what was loaded. A drain may have begun meanwhile: then its state stands.
    func settle(_ state: State, models: [Model]) {
        let bodies = shared.withLock { shared in
            shared.models = models
            shared.generations = Set(models.map(\.generation.number))
            if shared.state == .loading { enter(state, &shared) }
            defer { shared.whenSettled = [] }
            return shared.whenSettled
        }
        for body in bodies { body(state) }
    }

    /// Takes the next batch out of the queue, or marks the thread as sleeping.
    ///
    /// - Returns: `isOver` where the queue is empty and nothing new is taken.
    func plan(now: ContinuousClock.Instant) -> (plan: Planner<Job>.Plan, isOver: Bool) {
        shared.withLock { shared in
            let plan = shared.planner.next(now: now)
            publish(shared.planner.count)
            var isOver = false
            switch plan.step {
            case .run(let batch): heartbeat.withLock { $0.begin(batchOf: batch.count) }
            case .wait: shared.isSleeping = true
            case .idle:
                isOver = shared.state == .draining || shared.state == .stopped
                shared.isSleeping = !isOver
            }
            return (plan, isOver)
        }
    }

    /// Sleeps until a job, a command or the end of `span`.
    func sleep(for span: Duration?) {
        if let span {
            let nanoseconds = Int(clamping: Int64(span / .nanoseconds(1)))
            _ = wake.wait(timeout: .now() + .nanoseconds(nanoseconds))
        } else {
            wake.wait()
        }
        shared.withLock { $0.isSleeping = false }
    }

    /// Calls the completions of all drains; where models couldn't be loaded and no drain has begun, that state stands.
    func endDrains() {
        let completions = shared.withLock { shared in
            if shared.state == .draining { enter(.stopped, &shared) }
            defer { shared.drains = [:] }
            return shared.drains.values
        }
        for completion in completions { completion(0) }
    }
}
