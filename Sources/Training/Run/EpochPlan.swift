/// In which batches an epoch goes through the training latents: each of them once, in another order in every epoch.
/// What is left over at the end makes a smaller batch, as PyTorch's `DataLoader` has it with `drop_last=False`.
struct EpochPlan {
    /// Latents to train on, at least 1.
    let count: Int
    /// Latents in a batch at most, at least 1.
    let batch: Int
    let seed: UInt64

    var steps: Int { (count + batch - 1) / batch }

    /// Numbers in 0 ..< count, by batch; the same for the same seed and epoch.
    func batches(of epoch: Int) -> [ArraySlice<Int>] {
        var random = Random(seed: seed, .order, epoch)
        let order = random.permutation(count)
        return stride(from: 0, to: count, by: batch).map { order[$0..<min($0 + batch, count)] }
    }

    /// Images that so many steps take, from the first epoch on.
    func images(ofSteps steps: Int) -> Int {
        let (epochs, rest) = steps.quotientAndRemainder(dividingBy: self.steps)
        // Of a begun epoch the smaller batch is still to come.
        return epochs * count + rest * batch
    }
}
