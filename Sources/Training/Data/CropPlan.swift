import FilePaths
import ImageInput
import TokenizerCore

/// Which images give how many squares: each image once and whole, or crops over several scales.
package struct CropPlan: Sendable {
    package let pictures: [Path]
    /// Crops in all; `nil`: each image once, as `prepare` makes it.
    package let crops: Int?
    package let seed: UInt64
    package let preprocessing: Preprocessing
    /// Squares of each image.
    package let counts: [Int]
    /// Images whose headers can't be read; without crops headers aren't looked at.
    package let skipped: [SkippedPicture]
    private let starts: Starts

    /// Reads the images' headers if there are crops.
    ///
    /// Crops are distributed over images in proportion to the square root of the area, summed over the image's
    /// scales, by largest remainder. An image's crops don't depend on the other images, only how many there are does.
    /// - Parameter preprocessing: of the encoder; its size is in 1...65536.
    /// - Throws: less than one crop, or none of the images can be read.
    package init(
        _ pictures: [Path], crops: Int?, seed: UInt64, preprocessing: Preprocessing,
        limits: ImageLimits = ImageLimits()
    ) throws(TrainingError) {
        self.pictures = pictures
        self.crops = crops
        self.seed = seed
        self.preprocessing = preprocessing
        if let crops {
            guard crops > 0 else { throw TrainingError("crops: \(crops), expected at least 1") }
            let survey = Survey(pictures, size: preprocessing.size, limits: limits)
            guard survey.weights.contains(where: { $0 > 0 }) else {
                let first = survey.skipped.first.map { "; \($0.path): \($0.reason)" } ?? ""
                throw TrainingError("none of the \(pictures.count) pictures can be read\(first)")
            }
            skipped = survey.skipped
            counts = Self.distribute(crops, weights: survey.weights)
        } else {
            skipped = []
            counts = Array(repeating: 1, count: pictures.count)
        }
        starts = Starts(counts: counts)
    }

    /// Squares in all: the crops, or the images.
    package var count: Int { starts.total }

    /// The image that square `index` of all is cut from, and its number among that image's squares.
    func square(_ index: Int) -> (picture: Int, crop: Int) {
        let (picture, crop) = starts.place(of: index)
        return (picture, crop)
    }

    /// The square itself, `preprocessing.size` each way, out of the upright image.
    func cut(_ image: RGBImage, picture: Int, crop: Int) -> RGBImage {
        guard crops != nil else { return prepare(image, for: preprocessing) }
        let crop = Crop(
            seed: seed, picture: picture, crop: crop, width: image.width, height: image.height,
            size: preprocessing.size)
        let square = prepare(image.square(x: crop.x, y: crop.y, side: crop.side), for: preprocessing)
        return crop.mirrored ? square.mirrored() : square
    }

    /// Shares of `total` in proportion to `weights` that sum to it: rounded down, the rest to the largest remainders,
    /// of equal ones to the first.
    ///
    /// - Precondition: no weight is negative, one is more than 0.
    static func distribute(_ total: Int, weights: [Double]) -> [Int] {
        let sum = weights.reduce(0, +)
        let quotas = weights.map { Double(total) * ($0 / sum) }
        var shares = quotas.map { Int($0) }
        let remainders = zip(quotas, shares).map { $0 - Double($1) }
        let order = weights.indices.filter { weights[$0] > 0 }.sorted {
            (remainders[$1], $0) < (remainders[$0], $1)
        }
        var rest = total - shares.reduce(0, +)
        while rest > 0 {
            for index in order.prefix(rest) { shares[index] += 1 }
            rest -= min(rest, order.count)
        }
        return shares
    }
}

/// A square of an image, in pixels of the upright image.
struct Crop: Sendable, Equatable {
    /// k: the image as if it were divided by 1.6^k.
    let scale: Int
    let x: Int
    let y: Int
    let side: Int
    /// Left and right are exchanged, which is so for half of all crops.
    let mirrored: Bool

    private static let step = 1.6

    /// Crop number `crop` of an image. Scale k is drawn in proportion to the square root of the area that it leaves,
    /// the position evenly.
    init(seed: UInt64, picture: Int, crop: Int, width: Int, height: Int, size: Int) {
        var random = Random(seed: seed, .crops, picture, crop)
        let divisors = Self.divisors(shorter: min(width, height), size: size)
        var left = random.uniform() * divisors.reduce(0) { $0 + 1 / $1 }
        var scale = 0
        while scale < divisors.count - 1, left >= 1 / divisors[scale] {
            left -= 1 / divisors[scale]
            scale += 1
        }
        self.scale = scale
        side = min(min(width, height), Int((Double(size) * divisors[scale]).rounded()))
        x = random.below(width - side + 1)
        y = random.below(height - side + 1)
        mirrored = random.uniform() < 0.5
    }

    /// 1.6^k for scales 0, 1, … of an image: as long as its shorter edge stays at `size` or more; at least the first.
    static func divisors(shorter: Int, size: Int) -> [Double] {
        var divisors = [1.0]
        var next = step
        while Double(shorter) / next >= Double(size) {
            divisors.append(next)
            next *= step
        }
        return divisors
    }
}

/// What the headers of all images say.
private struct Survey {
    /// sqrt(width * height), summed over the image's scales; 0 where the header can't be read.
    var weights: [Double] = []
    var skipped: [SkippedPicture] = []

    init(_ pictures: [Path], size: Int, limits: ImageLimits) {
        for path in pictures {
            do {
                let (width, height) = try PictureFile.size(path, limits: limits)
                let scales = Crop.divisors(shorter: min(width, height), size: size).reduce(0) { $0 + 1 / $1 }
                weights.append((Double(width) * Double(height)).squareRoot() * scales)
            } catch {
                weights.append(0)
                skipped.append(SkippedPicture(path: path, reason: error.description))
            }
        }
    }
}
