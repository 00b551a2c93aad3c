import TokenizerCore

@testable import Batching

/// What tests ask of a model.
enum TestWork: Sendable {
    case encode(RGBImage, EncodeOptions)
    case decode([Int32], DecodeOptions)
    case reconstruct(RGBImage, EncodeOptions, DecodeOptions)
    case codebook

    enum Output: Sendable {
        case tokens(TokenSequence)
        case image(RGBImage)
        case reconstruction(TokenSequence, RGBImage)
        case codebook(CodebookTable)
    }

    fileprivate func output(of tokenizer: any Tokenizer) throws(TokenizerError) -> Output {
        switch self {
        case .encode(let image, let options): return .tokens(try tokenizer.encode(image, options: options))
        case .decode(let tokens, let options): return .image(try tokenizer.decode(tokens, options: options))
        case .reconstruct(let image, let encode, let decode):
            let tokens = try tokenizer.encode(image, options: encode)
            return .reconstruction(tokens, try tokenizer.decode(tokens.ids, options: decode))
        case .codebook: return .codebook(tokenizer.codebook())
        }
    }
}

typealias TestOutcome = Job.Outcome<TestWork.Output>

extension Job {
    init(
        model: Engine.Model, work: TestWork, deadline: ContinuousClock.Instant? = nil,
        cancellation: Cancellation = Cancellation(), completion: @escaping @Sendable (TestOutcome) -> Void
    ) {
        self.init(
            model: model, deadline: deadline, cancellation: cancellation,
            compute: { tokenizer throws(TokenizerError) in try work.output(of: tokenizer) }, completion: completion)
    }
}
