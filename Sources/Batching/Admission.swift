import Synchronization

/// Counts the images that are somewhere between their request's arrival and its answer; bounded in number, and in the
/// time that a request waits for those before it.
///
/// Images, not requests, because their number is what work and memory grow with. Everything that waits behind it
/// (preprocessing, the engine's queue) is bounded by it and needs no bound of its own. Time as well, because a number
/// alone is seconds of one model's work and an hour of another's: who would wait too long is better told at once.
public final class Admission: Sendable {
    private struct State {
        var held = 0
        /// Of these, the ones whose work isn't done.
        var undone = 0
        /// An image's work, a moving mean; zero before the first.
        var pace = Duration.zero
    }

    /// Images at most.
    public let capacity: Int
    /// What a request may have to wait for those before it, as far as can be told; `nil`: any time.
    public let longestWait: Duration?
    /// So many images come in however long they take, for the engine must not run out of work.
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
    public var isFull: Bool { state.withLock { isFull($0) } }

    /// The work of one image, from the latest ones; zero before any was done.
    public var pace: Duration { state.withLock { $0.pace } }

    /// Takes places for `images` at once, or none.
    ///
    /// - Returns: `nil` where there aren't that many places, or they would wait for too long.
    public func reserve(_ images: Int) -> Reservation? {
        let isTaken = state.withLock { state in
            guard images >= 0, !isFull(state) || images == 0 else { return false }
            return take(images, &state)
        }
        return isTaken ? Reservation(admission: self, images: images) : nil
    }

    /// An image's work took so long.
    public func observe(_ span: Duration) {
        state.withLock { state in
            state.pace = state.pace == .zero ? span : state.pace + (span - state.pace) / 8
        }
    }

    private func isFull(_ state: State) -> Bool {
        if state.held >= capacity { return true }
        guard let longestWait, state.undone >= least else { return false }
        return state.pace * state.undone > longestWait
    }

    private func take(_ images: Int, _ state: inout State) -> Bool {
        guard images <= capacity - state.held else { return false }
        state.held += images
        state.undone += images
        return true
    }

    fileprivate func take(_ images: Int) -> Bool { state.withLock { take(images, &$0) } }

    fileprivate func giveBack(_ images: Int, undone: Int) {
        state.withLock { state in
            state.held -= images
            state.undone -= undone
        }
    }
}

/// Places that a request holds; given back on `release()`, or when the last reference goes.
public final class Reservation: Sendable {
    private struct Held {
        var images: Int
        var undone: Int
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

    /// Takes further places, so that it holds `images` in all, once a request has shown how many it brings. Only their
    /// number counts here: nobody waits longer for being more.
    ///
    /// - Returns: false, with nothing changed, where there aren't that many or it has been released.
    public func grow(to images: Int) -> Bool {
        held.withLock { held in
            guard let now = held else { return false }
            let more = images - now.images
            guard more > 0 else { return true }
            guard admission.take(more) else { return false }
            held = Held(images: images, undone: now.undone + more)
            return true
        }
    }

    /// One of its images needs no more work; its place is held on.
    public func finishOne() {
        let isOne = held.withLock { held in
            guard let now = held, now.undone > 0 else { return false }
            held?.undone -= 1
            return true
        }
        if isOne { admission.giveBack(0, undone: 1) }
    }

    /// Gives the places back; once.
    public func release() {
        let held = held.withLock { held in
            defer { held = nil }
            return held
        }
        if let held { admission.giveBack(held.images, undone: held.undone) }
    }
}
