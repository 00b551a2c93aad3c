import TokenizerCore

/// One piece of work for the engine: an image's, or a codebook's.
public struct Job: Sendable, PlannerEntry {
    /// How a job ended.
    public struct Outcome<Output: Sendable>: Sendable {
        public let result: Result<Output, EngineFailure>
        /// From arrival to the moment it was begun, or dropped.
        public let queued: Duration
        /// In the model.
        public let inference: Duration
        /// The part of `inference` that jobs not yet begun wait for: less where images are computed side by side.
        public let pace: Duration
    }

    /// The model that runs it, of the generation that its request was admitted for.
    public let model: Engine.Model
    public let arrival: ContinuousClock.Instant
    public let deadline: ContinuousClock.Instant?
    public let cancellation: Cancellation
    /// Computes on the calling thread with that many images side by side, and reports; or reports the failure.
    private let end: @Sendable (Result<Run, EngineFailure>) -> Void

    private struct Run {
        let tokenizer: any Tokenizer
        let sideBySide: Int
    }

    public var isCancelled: Bool { cancellation.isCancelled }
    public var isUnderWay: Bool { cancellation.hasBegun }

    /// Whether its deadline has passed before any job of its request was begun.
    func isExpired(at now: ContinuousClock.Instant) -> Bool {
        guard let deadline else { return false }
        return deadline <= now && !isUnderWay
    }

    /// - Parameters:
    ///   - compute: what to do with the model, on a thread of the engine's.
    ///   - completion: called exactly once, on a thread of the engine's or on the one that decided the outcome; returns
    ///     soon.
    public init<Output: Sendable>(
        model: Engine.Model, arrival: ContinuousClock.Instant = .now, deadline: ContinuousClock.Instant? = nil,
        cancellation: Cancellation = Cancellation(),
        compute: @escaping @Sendable (any Tokenizer) throws(TokenizerError) -> Output,
        completion: @escaping @Sendable (Outcome<Output>) -> Void
    ) {
        self.model = model
        self.arrival = arrival
        self.deadline = deadline
        self.cancellation = cancellation
        end = { run in
            let start = ContinuousClock.now
            switch run {
            case .failure(let failure):
                completion(
                    Outcome(result: .failure(failure), queued: start - arrival, inference: .zero, pace: .zero))
            case .success(let run):
                let result: Result<Output, EngineFailure>
                do throws(TokenizerError) {
                    result = .success(try compute(run.tokenizer))
                } catch {
                    result = .failure(.tokenizer(error))
                }
                let span = ContinuousClock.now - start
                completion(
                    Outcome(
                        result: result, queued: start - arrival, inference: span, pace: span / max(1, run.sideBySide)))
            }
        }
    }

    /// Ends it without having run it.
    func fail(_ failure: EngineFailure) { end(.failure(failure)) }

    /// Runs it on the calling thread, and ends it.
    ///
    /// - Parameter sideBySide: images that are computed at once.
    func run(on tokenizer: any Tokenizer, sideBySide: Int = 1) {
        end(.success(Run(tokenizer: tokenizer, sideBySide: sideBySide)))
    }
}

/// Why a job has no output.
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
    /// The request was cancelled before the job ran.
    case cancelled
    /// The model refused it.
    case tokenizer(TokenizerError)
}
