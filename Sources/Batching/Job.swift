import TokenizerCore

/// One image's work for the engine.
public struct Job: Sendable, PlannerEntry {
    public enum Work: Sendable {
        /// The image is of the size that the model takes.
        case encode(RGBImage, EncodeOptions)
        /// Local ids.
        case decode([Int32], DecodeOptions)
        case reconstruct(RGBImage, EncodeOptions, DecodeOptions)
        case codebook
    }

    public enum Output: Sendable {
        case tokens(TokenSequence)
        case image(RGBImage)
        case reconstruction(TokenSequence, RGBImage)
        case codebook(CodebookTable)
    }

    /// What came of it.
    public struct Outcome: Sendable {
        public let result: Result<Output, EngineFailure>
        /// From arrival to the moment it was begun, or dropped.
        public let queued: Duration
        /// In the model.
        public let inference: Duration
        /// The part of `inference` that the others wait for who aren't begun: less where images are computed side by side.
        public let pace: Duration
    }

    /// The very model that runs it: not another that came to have its name.
    public let model: Engine.Model
    public let work: Work
    public let arrival: ContinuousClock.Instant
    public let deadline: ContinuousClock.Instant?
    public let ticket: Ticket
    /// Called exactly once, on a thread of the engine's or on the one that made the outcome certain; returns soon.
    let completion: @Sendable (Outcome) -> Void

    public var isDeparted: Bool { ticket.isGone }
    public var isUnderWay: Bool { ticket.hasBegun }

    /// Whether its deadline has passed before any job of its request was begun.
    func isExpired(at now: ContinuousClock.Instant) -> Bool {
        guard let deadline else { return false }
        return deadline <= now && !isUnderWay
    }

    public init(
        model: Engine.Model, work: Work, arrival: ContinuousClock.Instant = .now,
        deadline: ContinuousClock.Instant? = nil, ticket: Ticket = Ticket(),
        completion: @escaping @Sendable (Outcome) -> Void
    ) {
        self.model = model
        self.work = work
        self.arrival = arrival
        self.deadline = deadline
        self.ticket = ticket
        self.completion = completion
    }

    /// Ends it without having run it.
    func fail(_ failure: EngineFailure, at now: ContinuousClock.Instant) {
        completion(Outcome(result: .failure(failure), queued: now - arrival, inference: .zero, pace: .zero))
    }

    /// Runs it on the calling thread, and ends it.
    ///
    /// - Parameter sideBySide: images that are computed at once.
    func run(on tokenizer: any Tokenizer, sideBySide: Int = 1) {
        let start = ContinuousClock.now
        let result: Result<Output, EngineFailure>
        do throws(TokenizerError) {
            result = .success(try output(of: tokenizer))
        } catch {
            result = .failure(.tokenizer(error))
        }
        let span = ContinuousClock.now - start
        completion(
            Outcome(result: result, queued: start - arrival, inference: span, pace: span / max(1, sideBySide)))
    }

    private func output(of tokenizer: any Tokenizer) throws(TokenizerError) -> Output {
        switch work {
        case .encode(let image, let options):
            return .tokens(try tokenizer.encode(image, options: options))
        case .decode(let tokens, let options):
            return .image(try tokenizer.decode(tokens, options: options))
        case .reconstruct(let image, let encode, let decode):
            let tokens = try tokenizer.encode(image, options: encode)
            return .reconstruction(tokens, try tokenizer.decode(tokens.ids, options: decode))
        case .codebook:
            return .codebook(tokenizer.codebook())
        }
    }
}

/// Why a job gave nothing.
public enum EngineFailure: Error, Sendable, Equatable {
    /// The models are still being loaded.
    case loading
    /// The models couldn't be loaded.
    case failed(String)
    /// The engine finishes what it has and takes nothing new, or has ended.
    case draining
    case unknownModel(String)
    /// The deadline passed before any job of its request ran.
    case expired
    /// Nobody waits for it.
    case departed
    /// The model refused it.
    case tokenizer(TokenizerError)
}
