/// Settings as a user gives them: what is left out is sized to the training set.
package struct SettingsChoice: Sendable {
    /// All that doesn't hang on the set's size.
    package var settings = TrainingSettings()
    /// Published: 16,384.
    package var codes: Int?
    /// Published: 256.
    package var batch: Int?
    /// Published: 512.
    package var features: Int?
    /// Published: 3.
    package var layers: Int?

    package init() {}

    /// Fewer latents than this train a smaller rectifier where none is asked for.
    private static let largeSet = 65_536
    /// Vectors to choose from for each code of a codebook that is sized.
    private static let vectorsPerCode = 8
    /// Steps of an epoch for a batch that is sized.
    private static let stepsPerEpoch = 16

    /// - Parameters:
    ///   - training: latents to train on.
    ///   - shape: C, H, W of a latent.
    /// - Throws: a setting that doesn't fit the latent, or a set too small for the codebooks, with the numbers.
    package func sized(training: Int, shape: [Int]) throws(TrainingError) -> TrainingSettings {
        var result = settings
        let published = TrainingSettings()
        let vectors = settings.isShared ? training * settings.tokens : training
        result.codes =
            codes ?? min(published.codes, max(2, Self.powerOfTwo(atMost: vectors / Self.vectorsPerCode)))
        result.batch = batch ?? min(published.batch, max(1, Self.powerOfTwo(atMost: training / Self.stepsPerEpoch)))
        let isLarge = training >= Self.largeSet
        result.features = features ?? Self.features(atLeast: isLarge ? published.features : 128, channels: shape[0])
        result.layers = layers ?? (isLarge ? published.layers : 2)
        try result.check(shape: shape)
        guard vectors >= result.codes else {
            let squares = training == 1 ? "1 square" : "\(training) squares"
            throw TrainingError(
                "\(squares) to train on, those for validation left out, give \(vectors) vectors for "
                    + (settings.isShared ? "the codebook" : "each position's codebook")
                    + ", expected at least one for each of \(result.codes) codes: give more pictures or --crops, or "
                    + (vectors >= 2 ? "at most --codes \(vectors)" : "--shared-codebook"))
        }
        return result
    }

    /// The smallest number that is a multiple of a head's 32 and of the channels.
    private static func features(atLeast wanted: Int, channels: Int) -> Int {
        var step = max(channels, 1)
        while step % 32 != 0 { step += max(channels, 1) }
        return (wanted + step - 1) / step * step
    }

    /// 0 for 0.
    private static func powerOfTwo(atMost limit: Int) -> Int {
        limit < 1 ? 0 : 1 << (Int.bitWidth - 1 - limit.leadingZeroBitCount)
    }
}

extension TrainingSettings {
    /// - Parameter shape: C, H, W of a latent.
    /// - Throws: what doesn't fit the latent, or is out of range.
    func check(shape: [Int]) throws(TrainingError) {
        let numbers = shape.reduce(1, *)
        guard tokens >= 1, numbers % tokens == 0 else {
            throw TrainingError("--tokens is \(tokens), expected a divisor of the latent's \(numbers) numbers \(shape)")
        }
        let counts = [
            ("--codes", codes, 2...(1 << 24)), ("--batch", batch, 1...(1 << 16)), ("--epochs", epochs, 1...1_000_000),
            ("--steps", steps ?? 0, 0...1_000_000_000), ("--layers", layers, 0...64),
            ("--cluster-rounds", clusterRounds, 1...1000),
        ]
        for (name, value, range) in counts where !range.contains(value) {
            throw TrainingError("\(name) is \(value), expected \(range.lowerBound) to \(range.upperBound)")
        }
        let numbersInRange: [(String, Double, ClosedRange<Double>)] = [
            ("--rate", rate, 1e-9...10), ("--rate-fall", rateFall, 1e-9...1),
            ("--rectifier-rate", rectifierRate, 0...100),
            ("--rectifier-decay", rectifierDecay, 0...1), ("--clip", clip, 1e-9...1e9),
            ("--reset-share", resetShare, 0...1), ("--reset-noise", resetNoise, 0...10),
            ("--reset-until", resetUntil, 0...1), ("--validation", validation, 0...0.9),
        ]
        for (name, value, range) in numbersInRange where !range.contains(value) {
            throw TrainingError("\(name) is \(value), expected \(range.lowerBound) to \(range.upperBound)")
        }
        if layers > 0 { try checkRectifier(channels: shape[0]) }
    }

    private func checkRectifier(channels: Int) throws(TrainingError) {
        guard (32...4096).contains(features), features % 32 == 0, features % channels == 0 else {
            throw TrainingError(
                "--features is \(features), expected a multiple of 32 (an attention head) and of the latent's "
                    + "\(channels) channels, at most 4096")
        }
        // Parameters of a layer, counted generously, eight parts' gradients and AdamW's moments of each.
        let bytes = 4 * 11 * layers * features * (30 * features + 300)
        guard bytes < 64 << 30 else {
            throw TrainingError(
                "--features \(features) and --layers \(layers) need \(bytes >> 30) GiB to train, expected at most 64")
        }
        guard rectifierStart != .identity || features / channels >= 4 else {
            throw TrainingError(
                "--rectifier-start identity: expected --features of at least 4 times the latent's \(channels) "
                    + "channels, found \(features)")
        }
    }
}
