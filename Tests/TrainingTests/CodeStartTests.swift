import Testing

@testable import Training

/// How codes start, against the definition: every vector counts, those after the last whole chunk of 64 too.
@Suite(.serialized) struct CodeStartTests {
    private static let numbers = 6

    /// - Parameter different: how many of the latents differ; they come in turn.
    private static func set(
        _ count: Int, different: Int = .max
    ) throws -> (set: TrainingSet, folder: DataFolder, values: [[Float]]) {
        let folder = try DataFolder()
        var random = Random(seed: 9, .order)
        let all = (0..<min(count, different)).map { _ in (0..<numbers).map { _ in Float(random.normal()) } }
        let values = (0..<count).map { all[$0 % all.count] }
        try LatentShard.write(
            latents: values.flatMap { $0 }, shape: [2, 1, 3], pictures: (0..<Int32(count)).map { $0 }, skipped: [],
            to: CacheManifest.shardPath(0, in: folder.path))
        try folder.write(
            "{\"format\": 1, \"squares\": \(count), \"shard\": \(count), \"latent\": [2, 1, 3]}", to: "manifest.json")
        let mean = [Float](repeating: 0, count: numbers), deviation = [Float](repeating: 1, count: numbers)
        let set = TrainingSet(
            try LatentSet(folder: folder.path), training: Array(0..<count), validation: [], mean: mean,
            deviation: deviation)
        return (set, folder, values)
    }

    private static func started(_ set: TrainingSet, shared: Bool, rounds: Int) -> [Float] {
        var settings = TrainingSettings()
        (settings.tokens, settings.codes, settings.isShared) = (2, 5, shared)
        settings.codeStart = rounds > 0 ? .clusters : .latents
        settings.clusterRounds = rounds
        let codebooks = LearnedCodebooks(books: shared ? 1 : 2, count: 5, dimensions: 3)
        codebooks.start(from: set, settings) { _ in }
        return codebooks.values()
    }

    /// One round of Lloyd's algorithm, in double precision.
    @Test(arguments: [64, 65, 70, 100], [false, true])
    func aRoundMovesCodesToTheirVectorsMeans(count: Int, shared: Bool) throws {
        let (set, folder, values) = try Self.set(count)
        let books = shared ? 1 : 2
        let before = Self.started(set, shared: shared, rounds: 0)
        let after = Self.started(set, shared: shared, rounds: 1)
        var sums = [Double](repeating: 0, count: before.count), counts = [Int](repeating: 0, count: books * 5)
        for latent in values {
            for token in 0..<2 {
                let vector = latent[token * 3..<token * 3 + 3].map(Double.init), book = token % books
                let distances = (0..<5).map { code in
                    (0..<3).reduce(0.0) {
                        let difference = Double(before[(book * 5 + code) * 3 + $1]) - vector[$1]
                        return $0 + difference * difference
                    }
                }
                let code = book * 5 + (distances.indices.min { distances[$0] < distances[$1] } ?? 0)
                counts[code] += 1
                for at in 0..<3 { sums[code * 3 + at] += vector[at] }
            }
        }
        #expect(counts.allSatisfy { $0 > 0 })
        for at in before.indices {
            #expect(abs(Double(after[at]) - sums[at] / Double(counts[at / 3])) < 1e-5, "number \(at)")
        }
        withExtendedLifetime(folder) {}
    }

    /// Of codes that are alike all but the first are no vector's nearest: they take vectors of the set, at their own
    /// book's token.
    @Test func codesWithoutVectorsTakeThose() throws {
        let (set, folder, values) = try Self.set(12, different: 2)
        let before = Self.started(set, shared: false, rounds: 0), codes = Self.started(set, shared: false, rounds: 1)
        for book in 0..<2 {
            let vectors = values[..<2].map { Array($0[book * 3..<book * 3 + 3]) }
            func code(_ codes: [Float], _ code: Int) -> [Float] {
                Array(codes[(book * 5 + code) * 3..<(book * 5 + code) * 3 + 3])
            }
            #expect(Set((0..<5).map { code(before, $0) }) == Set(vectors), "both are taken at the start")
            for number in 0..<5 {
                let errors = vectors.map { vector in zip(vector, code(codes, number)).map { abs($0 - $1) }.max() ?? 1 }
                #expect((errors.min() ?? 1) < 1e-6, "book \(book), code \(number)")
            }
        }
        withExtendedLifetime(folder) {}
    }

    /// Codes are vectors of the set, each of another one, and of the book's own token.
    @Test(arguments: [false, true]) func codesAreVectorsOfTheSet(shared: Bool) throws {
        let (set, folder, values) = try Self.set(12)
        let codes = Self.started(set, shared: shared, rounds: 0)
        let books = shared ? 1 : 2
        var chosenLatents: [[Int?]] = []
        for book in 0..<books {
            let vectors = values.flatMap { latent in
                (shared ? [0, 1] : [book]).map { Array(latent[$0 * 3..<$0 * 3 + 3]) }
            }
            let chosen = (0..<5).map { Array(codes[(book * 5 + $0) * 3..<(book * 5 + $0) * 3 + 3]) }
            chosenLatents.append(chosen.map { vectors.firstIndex(of: $0) })
            #expect(Set(chosen).count == 5 && Set(chosen).isSubset(of: vectors), "book \(book)")
        }
        #expect(Set(chosenLatents).count == books, "books start from the same latents")
        withExtendedLifetime(folder) {}
    }
}
