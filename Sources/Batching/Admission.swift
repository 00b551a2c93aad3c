import Synchronization

/// Counts the images that are somewhere between their request's arrival and its answer; bounded.
///
/// Images, not requests, because their number is what work and memory grow with. Everything that waits behind it
/// (preprocessing, the engine's queue) is bounded by it and needs no bound of its own.
public final class Admission: Sendable {
    /// Images at most.
    public let capacity: Int
    private let held = Mutex(0)

    /// - Parameter capacity: at least 1.
    public init(capacity: Int) {
        self.capacity = max(1, capacity)
    }

    /// Images that hold a place now.
    public var images: Int { held.withLock { $0 } }

    /// Whether not even one image would be let in.
    public var isFull: Bool { images >= capacity }

    /// Takes places for `images` at once, or none.
    ///
    /// - Returns: `nil` where there aren't that many places.
    public func reserve(_ images: Int) -> Reservation? {
        guard images >= 0, take(images) else { return nil }
        return Reservation(admission: self, images: images)
    }

    fileprivate func take(_ images: Int) -> Bool {
        held.withLock { held in
            guard images <= capacity - held else { return false }
            held += images
            return true
        }
    }

    fileprivate func giveBack(_ images: Int) {
        held.withLock { $0 -= images }
    }
}

/// Places that a request holds; given back on `release()`, or when the last reference goes.
public final class Reservation: Sendable {
    private let admission: Admission
    private let held: Mutex<Int?>

    fileprivate init(admission: Admission, images: Int) {
        self.admission = admission
        held = Mutex(images)
    }

    deinit { release() }

    /// Images that it holds places for; 0 once released.
    public var images: Int { held.withLock { $0 ?? 0 } }

    /// Takes further places, so that it holds `images` in all, once a request has shown how many it brings.
    ///
    /// - Returns: false, with nothing changed, where there aren't that many or it has been released.
    public func grow(to images: Int) -> Bool {
        held.withLock { held in
            guard let now = held else { return false }
            guard images > now else { return true }
            guard admission.take(images - now) else { return false }
            held = images
            return true
        }
    }

    /// Gives the places back; once.
    public func release() {
        let images = held.withLock { held in
            defer { held = nil }
            return held
        }
        if let images { admission.giveBack(images) }
    }
}
