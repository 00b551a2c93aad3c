import Tensor

extension LearnedCodebooks {
    /// Sets all codes as `settings` say.
    ///
    /// - Precondition: each book has at least as many vectors to choose from as codes.
    func start(from data: TrainingSet, _ settings: TrainingSettings, _ tell: (TrainingEvent) -> Void) {
        startAsLatents(data, settings)
        if settings.codeStart == .clusters { cluster(data, settings, tell) }
    }

    /// Every code is another vector of the training set.
    private func startAsLatents(_ data: TrainingSet, _ settings: TrainingSettings) {
        let latent = FloatBuffer(count: data.numbers)
        let tokens = settings.tokens
        // Which codes take a part of which latent, so that each latent is read once.
        var takers = [Int: [(book: Int, code: Int, token: Int)]]()
        for book in 0..<books {
            var random = Random(seed: settings.seed, .codes, book)
            for (code, vector) in random.distinct(count, of: data.training.count * tokens / books).enumerated() {
                let (row, token) = books == 1 ? (vector / tokens, vector % tokens) : (vector, book)
                takers[row, default: []].append((book, code, token))
            }
        }
        for (row, takers) in takers.sorted(by: { $0.key < $1.key }) {
            data.gather([data.training[row]], into: latent.data)
            for taker in takers { set(taker.book, taker.code, latent.data + taker.token * dimensions) }
        }
    }

    /// Latents that k-means looks at for each code.
    private static let sampleSize = 64
    private static let chunk = 64

    /// Lloyd's algorithm over a sample of the training set. A code that is nearest to no vector takes a vector drawn at
    /// random.
    private func cluster(_ data: TrainingSet, _ settings: TrainingSettings, _ tell: (TrainingEvent) -> Void) {
        let tokens = settings.tokens
        let wanted = Self.sampleSize * count * books / tokens + 1
        var random = Random(seed: settings.seed, .clusters)
        let sample = random.distinct(min(wanted, data.training.count), of: data.training.count).map {
            data.training[$0]
        }
        let x = FloatBuffer(count: Self.chunk * data.numbers)
        let quantized = FloatBuffer(count: x.count)
        for round in 0..<settings.clusterRounds {
            tell(.phase("k-means: round \(round + 1) of \(settings.clusterRounds)"))
            var sums = [Double](repeating: 0, count: codes.count)
            var counts = [Int](repeating: 0, count: books * count)
            for first in stride(from: 0, to: sample.count, by: Self.chunk) {
                let part = Array(sample[first..<min(first + Self.chunk, sample.count)])
                data.gather(part, into: x.data)
                let ids = assign(x.data, rows: part.count * tokens, quantized: quantized.data)
                for (row, id) in ids.enumerated() {
                    let code = row % books * count + Int(id)
                    counts[code] += 1
                    for dimension in 0..<dimensions {
                        sums[code * dimensions + dimension] += Double(x.data[row * dimensions + dimension])
                    }
                }
            }
            var draw = Random(seed: settings.seed, .clusters, round)
            for code in counts.indices {
                if counts[code] == 0 {
                    data.gather([sample[draw.below(sample.count)]], into: x.data)
                    let token = books == 1 ? draw.below(tokens) : code / count
                    set(code / count, code % count, x.data + token * dimensions)
                } else {
                    let mean = (0..<dimensions).map { Float(sums[code * dimensions + $0] / Double(counts[code])) }
                    set(code / count, code % count, mean)
                }
            }
        }
    }
}

extension Random {
    /// That many different numbers of 0 ..< bound, in random order.
    mutating func distinct(_ count: Int, of bound: Int) -> [Int] {
        precondition(count <= bound)
        guard bound > 4 * count else { return Array(permutation(bound).prefix(count)) }
        var seen: Set<Int> = []
        var drawn: [Int] = []
        while drawn.count < count {
            let number = below(bound)
            if seen.insert(number).inserted { drawn.append(number) }
        }
        return drawn
    }
}
