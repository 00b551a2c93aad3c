import Synchronization

/// Counts the images between their request's arrival and its response. They are bounded in number, and in the time that
/// a request waits for those before it.
///
/// Images, not requests, because their number is what work and memory grow with. Everything that waits behind it
/// (preprocessing, the engine's queue) is bounded by it and needs no bound of its own. Time as well, because the same
/// number is seconds of one model's work and an hour of another's: a request that would wait too long is refused at
/// once.
public final class Admission: Sendable {
    private struct State {
        var held = 0
        /// Of these, the ones whose work isn't done, by kind; `nil`: of requests whose kind isn't known yet.
        var undone: [WorkKind?: Int] = [:]
        var undoneCount = 0
        /// An image's work by its kind, moving means.
        var paces: [WorkKind: Duration] = [:] {
            didSet { knownWork = nil }
        }
        /// `work`, until what it depends on changes: each refusal asks for it.
        private var knownWork: Duration?

        /// What is undone, at the paces known now. A kind without a known pace counts as the fastest, until its first
        /// image is done.
        mutating func work() -> Duration {
            if let knownWork { return knownWork }
            let least = paces.values.min() ?? .zero
            let work = undone.reduce(.zero) { sum, entry in
                sum + (entry.key.flatMap { paces[$0] } ?? least) * entry.value
            }
            knownWork = work
            return work
        }

        mutating func add(_ images: Int, of kind: WorkKind?) {
            undoneCount += images
            let left = (undone[kind] ?? 0) + images
            undone[kind] = left == 0 ? nil : left
            knownWork = nil
        }
    }

    /// Images at most.
    public let capacity: Int
    /// The longest estimated wait of a request for those before it; `nil`: unbounded.
    public let longestWait: Duration?
    /// So many images are let in however long they take, so that the engine doesn't run out of work.
    public let least: Int
    private let state = Mutex(State())

    /// - Parameter capacity: at least 1.
    public init(capacity: Int, longestWait: Duration? = nil, least: Int = 1) {
        self.capacity = max(1, capacity)
        self.longestWait = longestWait
        self.least = least
    }

    /// Images that hold a place now.
    public var images: Int { state.withLock { $0.held } }

    /// Whether not even one image would be let in.
    public var isFull: Bool { state.withLock { isFull(&$0) } }

    /// The estimated time of the work that is let in; zero until an image has been done.
    public var work: Duration { state.withLock { $0.work() } }

    /// How long until the wait is within its bound.
    public var timeToRoom: Duration { longestWait.map { max(.zero, work - $0) } ?? .zero }

    /// Takes places for `images` at once, or none.
    ///
    /// - Returns: `nil` where there aren't that many places, or they would wait for too long.
    public func reserve(_ images: Int) -> Reservation? {
        let isTaken = state.withLock { state in
            guard images >= 0, !isFull(&state) || images == 0 else { return false }
            return take(images, of: nil, &state)
        }
        return isTaken ? Reservation(admission: self, images: images) : nil
    }

    /// An image's work took so long.
    public func observe(_ span: Duration, of kind: WorkKind) {
        state.withLock { state in
            state.paces[kind] = state.paces[kind].map { $0 + (span - $0) / 8 } ?? span
        }
    }

    private func isFull(_ state: inout State) -> Bool {
        if state.held >= capacity { return true }
        guard let longestWait, state.undoneCount >= least else { return false }
        return state.work() > longestWait
    }

    private func take(_ images: Int, of kind: WorkKind?, _ state: inout State) -> Bool {
        guard images <= capacity - state.held else { return false }
        state.held += images
        state.add(images, of: kind)
        return true
    }

    /// - Returns: false, with nothing changed, where there aren't that many places.
    fileprivate func exchange(_ held: Reservation.Held, for images: Int, of kind: WorkKind) -> Bool {
        state.withLock { state in
            guard take(images - held.images, of: kind, &state) else { return false }
            state.add(-held.undone, of: held.kind)
            state.add(held.undone, of: kind)
            return true
        }
    }

    fileprivate func giveBack(_ images: Int, undone: Int, of kind: WorkKind?) {
        state.withLock { state in
            state.held -= images
            state.add(-undone, of: kind)
        }
    }
}

/// Places that a request holds; given back on `release()`, or when the last reference ends.
public final class Reservation: Sendable {
    fileprivate struct Held {
        var images: Int
        var undone: Int
        var kind: WorkKind?
    }

    private let admission: Admission
    private let held: Mutex<Held?>

    fileprivate init(admission: Admission, images: Int) {
        self.admission = admission
        held = Mutex(Held(images: images, undone: images))
    }

    deinit { release() }

    /// Images that it holds places for; 0 once released.
    public var images: Int { held.withLock { $0?.images ?? 0 } }

    /// Takes further places, so that it holds `images` in all, once the number of its images is known. Only that
    /// counts here, not the time that they would wait.
    ///
    /// - Returns: false, with nothing changed, where there aren't that many or it has been released.
    public func grow(to images: Int, of kind: WorkKind) -> Bool {
        held.withLock { held in
            guard var now = held else { return false }
            let images = max(images, now.images)
            guard admission.exchange(now, for: images, of: kind) else { return false }
            now.undone += images - now.images
            (now.images, now.kind) = (images, kind)
            held = now
            return true
        }
    }

    /// One of its images needs no more work; its place is held on.
    public func finishOne() {
        held.withLock { held in
            guard let now = held, now.undone > 0 else { return }
            held?.undone -= 1
            admission.giveBack(0, undone: 1, of: now.kind)
        }
    }

    /// Gives the places back; once.
    public func release() {
        let held = held.withLock { held in
            defer { held = nil }
            return held
        }
        if let held { admission.giveBack(held.images, undone: held.undone, of: held.kind) }
    }
}
