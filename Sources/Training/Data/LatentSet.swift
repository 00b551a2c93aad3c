import Checkpoint

/// The latents of a cache, all shards mapped into memory; nothing is copied.
package final class LatentSet: Sendable {
    /// Latents in all, at least 1.
    package let count: Int
    /// C, H, W.
    package let shape: [Int]
    /// C * H * W.
    package let numbers: Int
    private let shards: [LatentShard]
    private let starts: Starts

    /// Opens a cache that has been made whole.
    package init(folder: String) throws(TrainingError) {
        let manifest = try CacheManifest(folder: folder)
        let layout = try manifest.layout()
        shape = layout.shape
        numbers = layout.shape.reduce(1, *)
        var shards: [LatentShard] = []
        for number in 0...(layout.squares - 1) / layout.shard {
            let path = CacheManifest.shardPath(number, in: folder)
            let shard = try LatentShard(path: path)
            guard shard.shape == layout.shape else {
                throw TrainingError("\(path): latents of shape \(shard.shape), expected \(layout.shape)")
            }
            shards.append(shard)
        }
        self.shards = shards
        starts = Starts(counts: shards.map(\.count))
        count = starts.total
        guard count > 0 else { throw TrainingError("\(folder): holds no latents: none of its pictures could be read") }
    }

    /// The number in the list of images that latent `index` comes from.
    package func picture(of index: Int) -> Int {
        let (shard, row) = starts.place(of: index)
        return Int(shards[shard].pictures[row])
    }

    /// Lends latent `index`, `numbers` floats in (C, H, W) order.
    package func withLatent<R, E>(_ index: Int, _ body: (UnsafeBufferPointer<Float>) throws(E) -> R) throws(E) -> R {
        try body(latent(index))
    }

    /// Mean and population standard deviation, at least 1e-6, of every number of the latents at `indices`: one pass in
    /// double precision (Welford 1962), the same for the same order.
    ///
    /// - Precondition: there is at least one index.
    package func statistics(over indices: [Int]) -> (mean: [Float], deviation: [Float]) {
        precondition(!indices.isEmpty)
        var mean = [Double](repeating: 0, count: numbers)
        var squares = [Double](repeating: 0, count: numbers)
        mean.withUnsafeMutableBufferPointer { mean in
            squares.withUnsafeMutableBufferPointer { squares in
                for (done, index) in indices.enumerated() {
                    let latent = latent(index)
                    let share = 1 / Double(done + 1)
                    for number in 0..<latent.count {
                        let value = Double(latent[number])
                        let difference = value - mean[number]
                        mean[number] += difference * share
                        squares[number] += difference * (value - mean[number])
                    }
                }
            }
        }
        let deviation = squares.map { Float(max(1e-6, ($0 / Double(indices.count)).squareRoot())) }
        return (mean.map { Float($0) }, deviation)
    }

    /// Latents to train on and latents to validate with, each in ascending order.
    ///
    /// Whole images go to validation, so that no crop of a validation image is trained on: in random order until the
    /// share is reached, but for those that would overshoot it by more than half of their own latents. Where that gives
    /// none, single latents are divided.
    /// - Parameter share: of the latents; 0: none.
    package func split(validation share: Double, seed: UInt64) -> (training: [Int], validation: [Int]) {
        let target = Self.validationCount(of: count, share: share)
        guard target > 0 else { return (Array(0..<count), []) }
        var random = Random(seed: seed, .split)
        let owners = (0..<count).map(picture)
        let sizes = owners.reduce(into: [Int: Int]()) { $0[$1, default: 0] += 1 }
        let pictures = sizes.keys.sorted()
        var chosen: Set<Int> = []
        var taken = 0
        for position in random.permutation(pictures.count) where taken < target {
            let size = sizes[pictures[position]] ?? 0
            guard taken + size - target <= size / 2, taken + size < count else { continue }
            chosen.insert(pictures[position])
            taken += size
        }
        if taken > 0 { return divided { chosen.contains(owners[$0]) } }
        let single = Set(random.permutation(count).prefix(target))
        return divided { single.contains($0) }
    }

    /// How many of so many latents are kept for validation, about: at least one, and not all.
    static func validationCount(of count: Int, share: Double) -> Int {
        guard share > 0, count > 1 else { return 0 }
        return min(max(Int((min(share, 1) * Double(count)).rounded()), 1), count - 1)
    }

    private func divided(_ isValidation: (Int) -> Bool) -> (training: [Int], validation: [Int]) {
        ((0..<count).filter { !isValidation($0) }, (0..<count).filter(isValidation))
    }

    /// Writes (x - mean) / deviation of latent after latent, in the order of `indices`.
    ///
    /// - Parameter out: has room for `indices.count * numbers` floats.
    /// - Precondition: `mean` and `deviation` have `numbers` each.
    package func gather(
        _ indices: [Int], mean: [Float], deviation: [Float], into out: UnsafeMutablePointer<Float>
    ) {
        precondition(mean.count == numbers && deviation.count == numbers)
        mean.withUnsafeBufferPointer { mean in
            deviation.withUnsafeBufferPointer { deviation in
                for (row, index) in indices.enumerated() {
                    let latent = latent(index)
                    let target = out + row * numbers
                    for number in 0..<latent.count {
                        target[number] = (latent[number] - mean[number]) / deviation[number]
                    }
                }
            }
        }
    }

    private func latent(_ index: Int) -> UnsafeBufferPointer<Float> {
        let (shard, row) = starts.place(of: index)
        return UnsafeBufferPointer(rebasing: shards[shard].latents[row * numbers..<(row + 1) * numbers])
    }
}
