import Evaluation
import Testing
import TokenizerCore

private func contract(positions: Int, codes: Int, own: Bool) -> TokenContract {
    TokenContract(
        architecture: "fake", tokensPerImage: positions, codebookSize: codes, perPositionCodebooks: own,
        assignments: [.nearest], defaultSteps: nil, defaultTemperature: nil,
        preprocessing: Preprocessing(filter: .bicubic), precision: .fp32, fingerprint: "aa", parameters: 1)
}

/// After each image, what the statistics say of the latest ones.
@Test(arguments: [false, true], [1, 2, 7, 100]) func aWindowSaysWhatStatisticsSay(own: Bool, capacity: Int) throws {
    let contract = contract(positions: 6, codes: 16, own: own)
    var generator = SystemRandomNumberGenerator()
    // From skewed to even, so that codes leave as well as come.
    let images = (0..<60).map { image in
        (0..<6).map { _ in Int32.random(in: 0...min(15, Int32(image) / 3), using: &generator) }
    }
    var window = CodeWindow(contract, capacity: capacity)
    for index in images.indices {
        window.add(images[index])
        var statistics = CodeStatistics(contract)
        for ids in images[max(0, index + 1 - capacity)...index] { try statistics.add(ids) }
        #expect(window.count == statistics.images)
        #expect(window.codesUsed == statistics.codesUsed)
        #expect(abs(window.entropy - statistics.entropy) < 1e-7)
    }
}

@Test func anEmptyWindowUsesNothing() {
    let window = CodeWindow(contract(positions: 2, codes: 4, own: false), capacity: 5)
    #expect(window.count == 0 && window.codesUsed == 0 && window.entropy == 0)
}

@Test func whatLeavesTakesAwayAllThatItAdded() {
    var window = CodeWindow(contract(positions: 3, codes: 1 << 18, own: true), capacity: 2)
    for round in 0..<1000 { window.add([0, Int32(round), (1 << 18) - 1]) }
    for _ in 0..<2 { window.add([5, 5, 5]) }
    #expect(window.codesUsed == 3)
    #expect(abs(window.entropy - 1.584_962_500_721_156) < 1e-8)
}
