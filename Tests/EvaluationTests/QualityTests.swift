import Testing
import TokenizerCore

@testable import Evaluation

@Test func theFixtureIsThere() {
    #expect(QualityCase.all.count == 17)
}

@Test(arguments: QualityCase.all) func qualityIsTorchmetrics(pair: QualityCase) throws {
    let (original, changed) = try pair.pictures()
    let psnr = Quality.psnr(changed, original)
    if let expected = pair.psnr {
        #expect(abs(psnr - expected) < 1e-9)
    } else {
        #expect(psnr == .infinity)
    }
    let structure = try #require(Quality.structure(changed, original))
    #expect(abs(structure.ssim - pair.ssim) < 1e-9)
    // The weights there are float32.
    #expect((structure.multiScaleSSIM == nil) == (pair.multiScale == nil))
    if let expected = pair.multiScale { #expect(abs(try #require(structure.multiScaleSSIM) - expected) < 1e-7) }
}

@Test(arguments: QualityCase.all) func theInteriorIsScikitImages(pair: QualityCase) throws {
    let (original, changed) = try pair.pictures()
    let planes = (0..<3).map { (Plane(changed, channel: $0), Plane(original, channel: $0)) }
    let interior = try #require(StructuralSimilarity(planes)).interior
    #expect((interior == nil) == (pair.interior == nil))
    if let expected = pair.interior { #expect(abs(try #require(interior) - expected) < 1e-9) }
}

@Test func oneMeasureIsTheSameAsBoth() throws {
    let image = try Samples("waves", 180, 177)
    let (a, b) = (image.image, try image.changed("noisy").image)
    let both = try #require(Quality.structure(a, b))
    #expect(Quality.ssim(a, b) == both.ssim)
    #expect(Quality.multiScaleSSIM(a, b) == both.multiScaleSSIM)
    #expect(both.multiScaleSSIM != nil)
}

@Test(arguments: [(5, 6), (6, 5), (1, 300)]) func ssimNeedsPicturesThatCanBeReflected(width: Int, height: Int) throws {
    let image = try Samples("waves", width, height).image
    #expect(Quality.ssim(image, image) == nil)
    #expect(Quality.multiScaleSSIM(image, image) == nil)
}

@Test func aPlaneIsReflectedAboutItsOutermostSamples() {
    let plane = Plane(width: 3, height: 3, samples: [0, 1, 2, 3, 4, 5, 6, 7, 8])
    let reflected = plane.reflected(2)
    #expect(reflected.width == 7 && reflected.height == 7)
    #expect(
        reflected.samples == [6, 3, 0, 3, 6, 3, 0].flatMap { row in [2, 1, 0, 1, 2, 1, 0].map { row + $0 } })
}

@Test func halvingLeavesOutAnOddEdge() {
    let plane = Plane(width: 5, height: 3, samples: [1, 3, 5, 7, 100, 5, 7, 9, 11, 100, 100, 100, 100, 100, 100])
    let half = plane.halved()
    #expect(half.width == 2 && half.height == 1)
    #expect(half.samples == [4, 8])
}

@Test func summaries() {
    var summary = Summary()
    #expect(summary.mean == nil && summary.standardDeviation == nil)
    #expect(summary.lowest == nil && summary.highest == nil)
    summary.add(4, of: "a")
    #expect(summary.mean == 4 && summary.standardDeviation == nil)
    for (name, value) in [("b", 1.0), ("c", .infinity), ("d", 7), ("e", 7), ("f", 1)] { summary.add(value, of: name) }
    summary.add(nil, of: "g")
    #expect(summary.mean == 4)
    #expect(summary.standardDeviation == 3)
    #expect(summary.infinite == 1)
    #expect(summary.lowest?.name == "b" && summary.lowest?.value == 1)
    #expect(summary.highest?.name == "d" && summary.highest?.value == 7)
}
