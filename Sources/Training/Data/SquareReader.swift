import Dispatch
import ImageInput
import Synchronization
import TokenizerCore

/// A square of a plan, or why its image can't be read.
struct PlannedSquare: Sendable {
    let picture: Int
    let image: Result<RGBImage, TrainingError>
}

/// Decodes and cuts squares on a queue of its own. An image is decoded once for squares that follow each other.
final class SquareReader: Sendable {
    private let plan: CropPlan
    private let limits: ImageLimits
    private let queue = DispatchQueue(label: "squares")
    private let last = Mutex<PlannedSquare?>(nil)

    init(_ plan: CropPlan, limits: ImageLimits) {
        self.plan = plan
        self.limits = limits
    }

    /// Begins to read squares of those numbers.
    func start(_ range: Range<Int>) -> PendingSquares {
        let pending = PendingSquares()
        queue.async { pending.give(range.map(self.square)) }
        return pending
    }

    /// Waits until nothing is being read.
    func drain() { queue.sync {} }

    private func square(_ index: Int) -> PlannedSquare {
        let (picture, crop) = plan.square(index)
        let image = decoded(picture).map { plan.cut($0, picture: picture, crop: crop) }
        return PlannedSquare(picture: picture, image: image)
    }

    private func decoded(_ picture: Int) -> Result<RGBImage, TrainingError> {
        last.withLock { last in
            if let last, last.picture == picture { return last.image }
            // Two large images at a time would be one too many.
            last = nil
            let path = plan.pictures[picture], limits = limits
            let image = Result { () throws(TrainingError) in try PictureFile.decoded(path, limits: limits) }
            last = PlannedSquare(picture: picture, image: image)
            return image
        }
    }
}

/// Squares that are being read.
final class PendingSquares: Sendable {
    private let squares = Mutex<[PlannedSquare]>([])
    private let ready = DispatchSemaphore(value: 0)

    fileprivate func give(_ found: [PlannedSquare]) {
        squares.withLock { $0 = found }
        ready.signal()
    }

    /// Waits for them; once.
    func take() -> [PlannedSquare] {
        ready.wait()
        return squares.withLock { squares in
            defer { squares = [] }
            return squares
        }
    }
}
