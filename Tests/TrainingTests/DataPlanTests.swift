import FilePaths
import Foundation
import ImageInput
import Recipe
import Testing
import TokenizerCore

@testable import Training

private let small = Preprocessing(filter: .bilinear, size: 16)

@Suite struct DataPlanTests {
    @Test(arguments: [
        (7, [1.0, 1, 1], [3, 2, 2]), (10, [1, 0, 2], [3, 0, 7]), (1, [0, 0.4, 0.4], [0, 1, 0]),
        (3, [1, 1, 1], [1, 1, 1]), (1000, [0.1, 0.2, 0.7], [100, 200, 700]),
    ])
    func largestRemaindersGetTheRest(total: Int, weights: [Double], expected: [Int]) {
        #expect(CropPlan.distribute(total, weights: weights) == expected)
    }

    @Test func sharesAlwaysSumUp() {
        var random = Random(seed: 1, .crops)
        for total in [1, 2, 99, 12345] {
            let weights = (0..<50).map { _ in random.uniform() * 1000 }
            let shares = CropPlan.distribute(total, weights: weights)
            let sum = weights.reduce(0, +)
            #expect(shares.reduce(0, +) == total)
            #expect(zip(shares, weights).allSatisfy { abs(Double($0) - Double(total) * $1 / sum) < 1 })
        }
    }

    @Test(arguments: [
        (100, [1.0]), (256, [1]), (409, [1]), (410, [1, 1.6]), (655, [1, 1.6]), (656, [1, 1.6, 2.56]),
        (2000, [1, 1.6, 2.56, 4.096, 6.5536]),
    ])
    func scalesKeepTheShorterEdge(shorter: Int, expected: [Double]) {
        let found = Crop.divisors(shorter: shorter, size: 256)
        #expect(found.count == expected.count)
        #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-9 })
    }

    /// 2,000 draws: half mirrored, scales by the root of their area, everywhere in the image.
    @Test func cropsAreDrawnAsDescribed() {
        let (width, height) = (1500, 700)
        let crops = (0..<2000).map { Crop(seed: 3, picture: 5, crop: $0, width: width, height: height, size: 256) }
        #expect(abs(crops.count { $0.mirrored } - 1000) < 120)
        let odds = [1, 1 / 1.6, 1 / 2.56]
        for (scale, odd) in odds.enumerated() {
            let expected = odd / odds.reduce(0, +) * 2000
            let those = crops.filter { $0.scale == scale }
            #expect(abs(Double(those.count) - expected) < 120)
            #expect(abs(those.count { $0.mirrored } * 2 - those.count) < 120)
            let side = [256, 410, 655][scale]
            #expect(those.allSatisfy { $0.side == side })
            #expect(Set(those.map { $0.x * 4 / (width - side + 1) }) == [0, 1, 2, 3])
            #expect(Set(those.map { $0.y * 4 / (height - side + 1) }) == [0, 1, 2, 3])
        }
    }

    @Test(arguments: [(1, 1), (255, 300), (256, 256), (257, 256), (30, 4000), (410, 410)])
    func cropsLieWithinThePicture(width: Int, height: Int) {
        for number in 0..<50 {
            let crop = Crop(seed: 0, picture: 0, crop: number, width: width, height: height, size: 256)
            #expect(crop.side >= 1 && crop.x >= 0 && crop.x + crop.side <= width)
            #expect(crop.y >= 0 && crop.y + crop.side <= height)
        }
    }

    /// Every place of the square is drawn, the last row and the last column too, about as often as the others.
    @Test(arguments: [(257, 256), (256, 257), (258, 259)])
    func cropsReachTheLastRowAndColumn(width: Int, height: Int) {
        let crops = (0..<900).map { Crop(seed: 2, picture: 0, crop: $0, width: width, height: height, size: 256) }
        for (places, found) in [(width - 255, crops.map(\.x)), (height - 255, crops.map(\.y))] {
            for place in 0..<places {
                #expect(abs(found.count { $0 == place } - 900 / places) < 100, "\(place) of \(places)")
            }
        }
    }

    /// Images don't share their crops, and an image's differ.
    @Test func cropsDifferByPictureAndNumber() {
        let crops = (0..<40).map { number in
            Crop(seed: 2, picture: number / 8, crop: number % 8, width: 2000, height: 1500, size: 256)
        }
        for (index, crop) in crops.enumerated() { #expect(!crops[..<index].contains(crop), "\(index)") }
        let other = (0..<40).map { number in
            Crop(seed: 3, picture: number / 8, crop: number % 8, width: 2000, height: 1500, size: 256)
        }
        #expect(other.allSatisfy { !crops.contains($0) })
    }

    @Test func planHasExactlyTheCrops() throws {
        let folder = try DataFolder()
        let paths = [
            try folder.picture("a.png", width: 40, height: 20), try folder.write("no picture", to: "b.png"),
            try folder.picture("c.png", width: 9, height: 9), folder.path + "/missing.png",
            try folder.picture("e.png", width: 60, height: 50),
        ]
        let plan = try CropPlan(paths, crops: 101, seed: 4, preprocessing: small)
        #expect(plan.count == 101 && plan.counts.reduce(0, +) == 101)
        #expect(plan.counts[1] == 0 && plan.counts[3] == 0)
        #expect(plan.skipped.map(\.path.description) == [paths[1], paths[3]])
        #expect(plan.skipped[0].reason.contains("is not read") && plan.skipped[1].reason.contains("No such file"))
        // sqrt(40 * 20), 9, and sqrt(60 * 50) at 1, 1 / 1.6, 1 / 2.56.
        let weights = [Double(800).squareRoot(), 0, 9, 0, Double(3000).squareRoot() * (1 + 1 / 1.6 + 1 / 2.56)]
        #expect(plan.counts == CropPlan.distribute(101, weights: weights))
        let squares = (0..<101).map { plan.square($0) }
        for (picture, count) in plan.counts.enumerated() {
            #expect(squares.filter { $0.picture == picture }.map(\.crop) == Array(0..<count))
        }
        #expect(squares.map(\.picture) == squares.map(\.picture).sorted())
    }

    @Test func aHeaderBehindALargeProfileIsFound() throws {
        let folder = try DataFolder()
        var jpeg = Array(try Data(contentsOf: URL(fileURLWithPath: DataFolder.odd("exif-1.jpg"))))
        let comment: [UInt8] = [0xFF, 0xFE, 0xFF, 0xFF] + [UInt8](repeating: 0x20, count: 65533)
        jpeg.insert(contentsOf: comment + comment, at: 2)
        let path = try folder.write(jpeg, to: "large.jpg")
        #expect(try PictureFile.size(Path(path), limits: ImageLimits()) == (61, 43))
    }

    @Test func limitsHoldBeforeAnyCropIsPlanned() throws {
        let folder = try DataFolder()
        let path = try folder.picture("a.png", width: 40, height: 20)
        for limits in [ImageLimits(fileBytes: 50), ImageLimits(pixels: 799)] {
            let found = message { _ = try CropPlan([path], crops: 1, seed: 0, preprocessing: small, limits: limits) }
            #expect(found?.hasPrefix("none of the 1 pictures can be read; \(path): the picture's ") == true)
        }
        #expect(
            message { _ = try CropPlan([path], crops: 0, seed: 0, preprocessing: small) }?.contains("crops: 0") == true)
    }

    /// An image's crops are the same whatever is beside it, another seed's are others.
    @Test func cropsHangOnSeedPictureAndNumberAlone() throws {
        let folder = try DataFolder()
        let first = try folder.picture("a.png", width: 70, height: 45)
        let others = try (0..<3).map { try folder.picture("\($0).png", width: 30 + 20 * $0, height: 50) }
        let picture = image("a.png", height: 45, width: 70)
        func squares(_ paths: [String], seed: UInt64) throws -> [RGBImage] {
            let plan = try CropPlan(paths, crops: 60, seed: seed, preprocessing: small)
            return (0..<8).map { plan.cut(picture, picture: 0, crop: $0) }
        }
        #expect(try squares([first], seed: 1) == squares([first] + others, seed: 1))
        #expect(try squares([first], seed: 1) != squares([first], seed: 2))
    }

    @Test func squaresAreCutThenResizedThenMirrored() throws {
        let folder = try DataFolder()
        let path = try folder.picture("a.png", width: 70, height: 45)
        let picture = image("a.png", height: 45, width: 70)
        let plan = try CropPlan([path], crops: 20, seed: 9, preprocessing: small)
        var mirrored = 0
        for number in 0..<20 {
            let crop = Crop(seed: 9, picture: 0, crop: number, width: 70, height: 45, size: 16)
            var pixels: [UInt8] = []
            for y in 0..<crop.side {
                for x in 0..<crop.side {
                    let at = ((crop.y + y) * 70 + crop.x + x) * 3
                    pixels += picture.pixels[at..<at + 3]
                }
            }
            var expected = prepare(RGBImage(width: crop.side, height: crop.side, pixels: pixels), for: small)
            if crop.mirrored {
                mirrored += 1
                let rows = (0..<16).flatMap { y in (0..<16).reversed().map { (y * 16 + $0) * 3 } }
                expected = RGBImage(width: 16, height: 16, pixels: rows.flatMap { expected.pixels[$0..<$0 + 3] })
            }
            #expect(plan.cut(picture, picture: 0, crop: number) == expected)
        }
        #expect((1...19).contains(mirrored))
    }

    /// Orientation 6: stored rows are upright columns, from right to left.
    @Test func cropsComeFromTheUprightPicture() throws {
        let path = DataFolder.odd("exif-6.jpg")
        let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path)))
        let stored = try decode(bytes, options: PictureOptions(orientation: .ignore)).image
        let pixels = (0..<stored.width).flatMap { y in
            (0..<stored.height).flatMap { x in
                let at = ((stored.height - 1 - x) * stored.width + y) * 3
                return stored.pixels[at..<at + 3]
            }
        }
        let upright = RGBImage(width: stored.height, height: stored.width, pixels: pixels)
        let plan = try CropPlan([path], crops: 6, seed: 2, preprocessing: small)
        let squares = SquareReader(plan, limits: ImageLimits()).start(0..<6).take()
        for (number, square) in squares.enumerated() {
            #expect(try square.image.get() == plan.cut(upright, picture: 0, crop: number))
        }
    }
}
