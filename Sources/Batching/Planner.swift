/// What the planner reads of a job.
public protocol PlannerEntry {
    associatedtype Model: Hashable
    /// Entries of different models never share a batch.
    var model: Model { get }
    var arrival: ContinuousClock.Instant { get }
    /// Afterwards it isn't begun any more; `nil`: never.
    var deadline: ContinuousClock.Instant? { get }
    /// Whether others of its request have been begun: then its deadline doesn't matter.
    var isUnderWay: Bool { get }
    /// Whether its result is not wanted any more.
    var isCancelled: Bool { get }
}

/// Decides what runs next. A value without threads and without a clock: time is handed in.
///
/// Entries stay in the order they were added in. The model with the oldest entry goes first, but one whose batch may
/// still grow (`maxDelay`) doesn't hold back another that is ready.
public struct Planner<Entry: PlannerEntry> {
    public struct Plan {
        /// Their deadlines have passed; no longer in the queue.
        public var expired: [Entry]
        /// Their results are not wanted; no longer in the queue.
        public var cancelled: [Entry]
        public var step: Step
    }

    public enum Step {
        /// Entries of one model, oldest first; no longer in the queue.
        case run([Entry])
        /// Nothing to do before then, unless something is added.
        case wait(until: ContinuousClock.Instant)
        /// The queue is empty.
        case idle
    }

    /// Entries in a batch at most.
    public let maxBatch: Int
    /// How long the oldest entry of a model waits for others, measured from its arrival.
    public let maxDelay: Duration
    private var queue: [Entry] = []

    /// - Parameter maxBatch: at least 1.
    public init(maxBatch: Int = 8, maxDelay: Duration = .zero) {
        self.maxBatch = max(1, maxBatch)
        self.maxDelay = max(.zero, maxDelay)
    }

    public var count: Int { queue.count }
    public var isEmpty: Bool { queue.isEmpty }

    public mutating func add(_ entry: Entry) { queue.append(entry) }

    /// Removes what is no longer worth running and says what to do now.
    public mutating func next(now: ContinuousClock.Instant) -> Plan {
        let dropped = sweep(now: now)
        return Plan(expired: dropped.expired, cancelled: dropped.cancelled, step: step(now: now))
    }

    /// Removes what is no longer worth running.
    public mutating func sweep(now: ContinuousClock.Instant) -> (expired: [Entry], cancelled: [Entry]) {
        var expired: [Entry] = []
        var cancelled: [Entry] = []
        var kept: [Entry] = []
        for entry in queue {
            if entry.isCancelled {
                cancelled.append(entry)
            } else if let deadline = entry.deadline, deadline <= now, !entry.isUnderWay {
                expired.append(entry)
            } else {
                kept.append(entry)
            }
        }
        if kept.count < queue.count { queue = kept }
        return (expired, cancelled)
    }

    /// Removes everything.
    public mutating func removeAll() -> [Entry] {
        defer { queue = [] }
        return queue
    }

    private mutating func step(now: ContinuousClock.Instant) -> Step {
        var wakeAt: ContinuousClock.Instant?
        var seen: Set<Entry.Model> = []
        for entry in queue where seen.insert(entry.model).inserted {
            let due = entry.arrival.advanced(by: maxDelay)
            if due <= now || queue.count(where: { $0.model == entry.model }) >= maxBatch {
                return .run(takeBatch(of: entry.model))
            }
            wakeAt = min(wakeAt ?? due, due)
        }
        for entry in queue {
            guard let deadline = entry.deadline, let wake = wakeAt, !entry.isUnderWay else { continue }
            wakeAt = min(wake, deadline)
        }
        return wakeAt.map { .wait(until: $0) } ?? .idle
    }

    private mutating func takeBatch(of model: Entry.Model) -> [Entry] {
        var batch: [Entry] = []
        var rest: [Entry] = []
        for entry in queue {
            if entry.model == model, batch.count < maxBatch { batch.append(entry) } else { rest.append(entry) }
        }
        queue = rest
        return batch
    }
}

extension Planner: Sendable where Entry: Sendable {}
extension Planner.Plan: Sendable where Entry: Sendable {}
extension Planner.Step: Sendable where Entry: Sendable {}
