import JSON

/// Every constant of a training run. Defaults are the published ones (arXiv 2507.10547) where there are any.
package struct TrainingSettings: Sendable, Equatable {
    /// How codebooks start.
    package enum CodeStart: String, Sendable, CaseIterable {
        /// Latents drawn at random.
        case latents
        /// Means of clusters of latents (Lloyd's algorithm, from latents drawn at random).
        case clusters
    }

    /// How the rectifier starts.
    package enum RectifierStart: String, Sendable, CaseIterable {
        /// PyTorch's default for every layer.
        case random
        /// Passing its input through.
        case identity
    }

    package var tokens = 512
    /// Codes in each codebook.
    package var codes = 16384
    /// One codebook for all positions in place of one for each.
    package var isShared = false
    package var codeStart = CodeStart.latents
    package var clusterRounds = 10
    /// Channels inside the rectifier, and its blocks; 0 blocks: no rectifier.
    package var features = 512
    package var layers = 3
    package var rectifierStart = RectifierStart.random
    /// Images of a step.
    package var batch = 256
    package var epochs = 40
    /// Ends after so many steps, in place of `epochs`.
    package var steps: Int?
    package var rate = 0.01
    /// The rate at the end, as a share of the rate at the start; it falls exponentially between.
    package var rateFall = 0.05
    /// The rectifier's rate as a share of the codebooks'.
    package var rectifierRate = 0.05
    package var rectifierDecay = 1e-4
    /// Largest norm of the codebooks' and of the rectifier's gradient.
    package var clip = 1.0
    /// At most so many of a codebook's codes move at the end of an epoch.
    package var resetShare = 0.2
    /// Of normal noise that a moved code is off its model.
    package var resetNoise = 0.1
    /// No codes move after this share of the run: they would have no time to settle.
    package var resetUntil = 0.9
    /// Share of latents that are kept for validation.
    package var validation = 0.05
    package var seed: UInt64 = 0

    package init() {}

    /// As a state and a model's report hold them: a resumed run must have the same.
    var json: JSONValue { .object(JSONObject(members)) }

    private var members: [(String, JSONValue)] {
        [
            ("tokens", .init(tokens)), ("codes", .init(codes)), ("shared_codebook", .bool(isShared)),
            ("code_start", .string(codeStart.rawValue)), ("cluster_rounds", .init(clusterRounds)),
            ("features", .init(features)), ("layers", .init(layers)),
            ("rectifier_start", .string(rectifierStart.rawValue)), ("batch", .init(batch)), ("epochs", .init(epochs)),
            ("steps", steps.map { .init($0) } ?? .null), ("rate", .init(rate)), ("rate_fall", .init(rateFall)),
            ("rectifier_rate", .init(rectifierRate)), ("rectifier_decay", .init(rectifierDecay)), ("clip", .init(clip)),
            ("reset_share", .init(resetShare)), ("reset_noise", .init(resetNoise)),
            ("reset_until", .init(resetUntil)), ("validation", .init(validation)), ("seed", .string(String(seed))),
        ]
    }

    /// The option that differs in a state's `json`, with both values; `nil` where all are equal.
    func difference(from text: String) -> String? {
        let found = try? JSONValue.parse(Array(text.utf8))
        for (name, value) in members where found?[name] != value {
            let option = "--" + name.split(separator: "_").joined(separator: "-")
            return "\(option) (\(found?[name]?.description ?? "none") there, \(value.description) here)"
        }
        return nil
    }
}
