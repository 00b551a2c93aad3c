import Evaluation
import Foundation
import Testing
import TokenizerCore

private func contract(positions: Int, codes: Int, own: Bool) -> TokenContract {
    TokenContract(
        architecture: "fake", tokensPerImage: positions, codebookSize: codes, perPositionCodebooks: own,
        assignments: [.nearest], defaultSteps: nil, defaultTemperature: nil,
        preprocessing: Preprocessing(filter: .bicubic), precision: .fp32, fingerprint: "aa", parameters: 1)
}

private func statistics(_ images: [[Int32]], codes: Int, own: Bool) throws -> CodeStatistics {
    var statistics = CodeStatistics(contract(positions: images[0].count, codes: codes, own: own))
    for ids in images { try statistics.add(ids) }
    return statistics
}

/// Position 0: four codes once; 1: one code twice and two once; 2: one code always.
private let images: [[Int32]] = [[0, 5, 2], [1, 5, 2], [2, 6, 2], [3, 7, 2]]

@Test func entropiesArePerPosition() throws {
    for own in [false, true] {
        let statistics = try statistics(images, codes: 8, own: own)
        #expect(statistics.images == 4)
        #expect(statistics.positionEntropies == [2, 1.5, 0])
        #expect(statistics.positionEntropies.map(CodeStatistics.perplexity) == [4, exp2(1.5), 1])
    }
}

@Test func aSharedCodebookIsCountedOverAllPositions() throws {
    let statistics = try statistics(images, codes: 8, own: false)
    #expect(statistics.codes == 8)
    #expect(statistics.codesUsed == 7)
    #expect(statistics.usage == 7.0 / 8)
    // Of 12 tokens: 2 five times, 5 twice, five codes once.
    let shares = [5.0, 2, 1, 1, 1, 1, 1].map { $0 / 12 }
    #expect(abs(statistics.entropy + shares.reduce(0) { $0 + $1 * log2($1) }) < 1e-12)
}

@Test func ownCodebooksAreCountedApart() throws {
    let statistics = try statistics(images, codes: 8, own: true)
    #expect(statistics.codes == 24)
    #expect(statistics.codesUsed == 4 + 3 + 1)
    #expect(statistics.usage == 8.0 / 24)
    #expect(abs(statistics.entropy - (log2(3.0) + 3.5 / 3)) < 1e-12)
}

@Test(arguments: [false, true]) func evenUseIsTheMost(own: Bool) throws {
    let even = (0..<16).map { image in (0..<5).map { Int32((image + 3 * $0) % 16) } }
    let statistics = try statistics(even, codes: 16, own: own)
    #expect(statistics.usage == 1)
    #expect(statistics.positionEntropies == [4, 4, 4, 4, 4])
    #expect(abs(CodeStatistics.perplexity(statistics.entropy) - (own ? 80 : 16)) < 1e-9)
}

@Test func noImagesUseNothing() {
    let statistics = CodeStatistics(contract(positions: 2, codes: 4, own: false))
    #expect(statistics.images == 0 && statistics.usage == 0 && statistics.entropy == 0)
    #expect(statistics.positionEntropies == [0, 0])
}

@Test(
    arguments: [
        ([0, 1], .tokenCount(found: 2, expected: 3)),
        ([0, 1, 2, 3], .tokenCount(found: 4, expected: 3)),
        ([0, 1, 8], .tokenRange(position: 2, found: 8, codebookSize: 8)),
        ([0, -1, 9], .tokenRange(position: 1, found: -1, codebookSize: 8)),
    ] as [([Int32], TokenizerError)])
func wrongTokensAreRefusedWhole(ids: [Int32], expected: TokenizerError) throws {
    var statistics = try statistics(images, codes: 8, own: false)
    let before = statistics
    #expect(throws: expected) { try statistics.add(ids) }
    #expect(statistics == before)
}
