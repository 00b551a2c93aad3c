/// The latents of a run, normalised, and which of them are trained on.
final class TrainingSet: TrainingLatents {
    let latents: LatentSet
    /// Of every number, over the training latents.
    let mean: [Float]
    let deviation: [Float]
    let training: [Int]
    let validation: [Int]

    var numbers: Int { latents.numbers }

    init(_ latents: LatentSet, training: [Int], validation: [Int], mean: [Float], deviation: [Float]) {
        self.latents = latents
        self.training = training
        self.validation = validation
        self.mean = mean
        self.deviation = deviation
    }

    func gather(_ indices: [Int], into out: UnsafeMutablePointer<Float>) {
        latents.gather(indices, mean: mean, deviation: deviation, into: out)
    }
}
