import ArgumentParser
import Training

/// How training goes: every constant of arXiv 2507.10547, with the published values.
struct TrainingArguments: ParsableArguments {
    private static let published = TrainingSettings()

    @Option(parsing: .unconditional, help: "Images of a step (default: 256, fewer for a small set).")
    var batch: Int?

    @Option(parsing: .unconditional, help: "Rounds over the training set.")
    var epochs = published.epochs

    @Option(parsing: .unconditional, help: "Steps in all, in place of --epochs; 0: only the start.")
    var steps: Int?

    @Option(parsing: .unconditional, help: "Learning rate of the codebooks.")
    var rate = published.rate

    @Option(
        name: .customLong("rate-fall"), parsing: .unconditional,
        help: "Share of the rate that is left at the end; it falls exponentially.")
    var rateFall = published.rateFall

    @Option(
        name: .customLong("rectifier-rate"), parsing: .unconditional,
        help: "The rectifier's rate as a share of the codebooks'.")
    var rectifierRate = published.rectifierRate

    @Option(
        name: .customLong("rectifier-decay"), parsing: .unconditional,
        help: "The rectifier's weight decay; codebooks have none.")
    var rectifierDecay = published.rectifierDecay

    @Option(parsing: .unconditional, help: "Largest norm of the codebooks' gradient, and of the rectifier's.")
    var clip = published.clip

    @Option(name: .customLong("code-start"), help: "Codes start as latents or as clusters (k-means).")
    var codeStart = published.codeStart

    @Option(name: .customLong("cluster-rounds"), parsing: .unconditional, help: "Rounds of k-means.")
    var clusterRounds = published.clusterRounds

    @Option(name: .customLong("rectifier-start"), help: "The rectifier starts random or as the identity.")
    var rectifierStart = published.rectifierStart

    @Option(
        name: .customLong("reset-share"), parsing: .unconditional,
        help: "Share of a codebook that may be moved after an epoch; 0: no reset.")
    var resetShare = published.resetShare

    @Option(
        name: .customLong("reset-noise"), parsing: .unconditional,
        help: "Normal noise between a moved code and its model.")
    var resetNoise = published.resetNoise

    @Option(
        name: .customLong("reset-until"), parsing: .unconditional, help: "Share of the run after which no codes move.")
    var resetUntil = published.resetUntil

    @Option(parsing: .unconditional, help: "Share of the latents, in whole pictures, that is kept for validation.")
    var validation = published.validation

    @Option(parsing: .unconditional, help: "Seed of everything that is drawn.")
    var seed = published.seed

    var settings: TrainingSettings {
        var settings = TrainingSettings()
        settings.epochs = epochs
        settings.steps = steps
        settings.rate = rate
        settings.rateFall = rateFall
        settings.rectifierRate = rectifierRate
        settings.rectifierDecay = rectifierDecay
        settings.clip = clip
        settings.codeStart = codeStart
        settings.clusterRounds = clusterRounds
        settings.rectifierStart = rectifierStart
        settings.resetShare = resetShare
        settings.resetNoise = resetNoise
        settings.resetUntil = resetUntil
        settings.validation = validation
        settings.seed = seed
        return settings
    }
}

extension TrainingSettings.CodeStart: ExpressibleByArgument {}
extension TrainingSettings.RectifierStart: ExpressibleByArgument {}
