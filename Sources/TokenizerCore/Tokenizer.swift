/// How latent vectors become codebook ids (SFTok; ReVQ knows `nearest` only).
public enum Assignment: String, Sendable, Hashable, CaseIterable {
    /// Sinkhorn-balanced assignment over the vectors of one image (arXiv 2512.16910, released code at batch 1).
    case sinkhorn
    /// The code at the smallest Euclidean distance.
    case nearest
}

/// What a request may ask of an encoding.
public struct EncodeOptions: Sendable, Hashable {
    /// `nil`: the model's default.
    public var assignment: Assignment?
    /// Whether the margin of every token is wanted too.
    public var wantsMargins: Bool

    public init(assignment: Assignment? = nil, wantsMargins: Bool = false) {
        self.assignment = assignment
        self.wantsMargins = wantsMargins
    }
}

/// What a request may ask of a decoding. The defaults are deterministic.
public struct DecodeOptions: Sendable, Hashable {
    /// Seeds the noise of multi-step reconstruction, as `torch.manual_seed` at batch 1 would.
    public var seed: UInt64
    /// Sampling steps, 1...64; `nil`: the model's default. An error on a model that has no steps.
    public var steps: Int?
    /// Scale of the noise, 0...100; `nil`: the model's default. An error on a model that has no noise.
    public var temperature: Float?

    public init(seed: UInt64 = 0, steps: Int? = nil, temperature: Float? = nil) {
        self.seed = seed
        self.steps = steps
        self.temperature = temperature
    }
}

/// The tokens of one image.
public struct TokenSequence: Sendable, Equatable {
    /// Local ids, each in `0..<codebookSize`; count = tokens per image.
    public var ids: [Int32]
    /// Per token: distance of the runner-up code minus distance of the nearest; `nil` where not asked for.
    public var margins: [Float]?

    public init(ids: [Int32], margins: [Float]? = nil) {
        self.ids = ids
        self.margins = margins
    }
}

/// A loaded model as the engine sees it. Not `Sendable`: it owns scratch memory and is used by one thread at a time.
///
/// Each call handles one image, so that tokens can't depend on what else is in a batch.
public protocol Tokenizer: AnyObject {
    /// What the model promises; constant for its lifetime.
    var contract: TokenContract { get }

    /// - Parameter image: already resized and cropped to `contract.preprocessing.size` squared.
    func encode(_ image: RGBImage, options: EncodeOptions) throws(TokenizerError) -> TokenSequence

    /// - Parameter tokens: local ids; count and range are checked.
    func decode(_ tokens: [Int32], options: DecodeOptions) throws(TokenizerError) -> RGBImage

    /// The same model again, for images that are computed at once, each on a thread of its own: they share the weights
    /// and the processors. Empty where images are computed one by one.
    var replicas: [any Tokenizer] { get }

    /// The code vectors as a generator's embedding table would use them.
    func codebook() -> CodebookTable

    /// Has `body` called as work goes on, in replicas too, at least once a layer, on the thread that does it, so that a
    /// watcher can tell slow from stuck. By default never.
    func onProgress(_ body: @escaping () -> Void)
}

extension Tokenizer {
    public func onProgress(_ body: @escaping () -> Void) {}

    public var replicas: [any Tokenizer] { [] }
}

/// Code vectors, row-major. Shape (K, d) where all positions share a codebook, (T, K, d) where each has its own.
public struct CodebookTable: Sendable {
    public let shape: [Int]
    public let values: [Float]

    public init(shape: [Int], values: [Float]) {
        self.shape = shape
        self.values = values
    }
}

/// Why a model refused a request.
public enum TokenizerError: Error, Sendable, Equatable {
    /// The wrong number of tokens.
    case tokenCount(found: Int, expected: Int)
    /// The first id outside `0..<codebookSize`.
    case tokenRange(position: Int, found: Int64, codebookSize: Int)
    /// An option this model doesn't have, or a value out of its range.
    case option(name: String, reason: String)
    /// The image isn't of the size the model takes.
    case imageSize(found: [Int], expected: [Int])
}
