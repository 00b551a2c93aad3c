import TokenizerCore

/// A model of 16 x 16 pictures and 4 tokens of 16.
///
/// Tokens are the red samples of the first four pixels modulo 16, plus 1 where `nearest` is asked for of a model whose
/// default is Sinkhorn. A decoded picture is of one colour: first token times 3, second token, and seed + 10 steps +
/// temperature.
final class FakeTokenizer: Tokenizer {
    let contract: TokenContract
    private let hook: @Sendable () -> Void

    init(_ contract: TokenContract, hook: @escaping @Sendable () -> Void = {}) {
        self.contract = contract
        self.hook = hook
    }

    func encode(_ image: RGBImage, options: EncodeOptions) throws(TokenizerError) -> TokenSequence {
        hook()
        let shift = options.assignment == .nearest && contract.assignments.first == .sinkhorn ? 1 : 0
        let ids = (0..<4).map { Int32((Int(image.pixels[$0 * 3]) + shift) & 15) }
        return TokenSequence(ids: ids, margins: options.wantsMargins ? [0.5, 0.1, 2, 1e-8] : nil)
    }

    func decode(_ tokens: [Int32], options: DecodeOptions) throws(TokenizerError) -> RGBImage {
        hook()
        try contract.check(tokens)
        let extra = Int(options.seed) + 10 * (options.steps ?? 0) + Int(options.temperature ?? 0)
        let colour = [UInt8(tokens[0] * 3), UInt8(tokens[1]), UInt8(extra & 255)]
        return RGBImage(width: 16, height: 16, pixels: (0..<256).flatMap { _ in colour })
    }

    func codebook() -> CodebookTable { CodebookTable(shape: [2, 3], values: [0, 1, -1, 0.5, 2, -0.25]) }
}

extension TokenContract {
    /// As SFTok: one codebook, steps, noise, two assignments.
    static let steps = make("aa11", perPosition: false, [.sinkhorn, .nearest], steps: 8, temperature: 1)
    /// As ReVQ: a codebook for each position.
    static let books = make("bb22", perPosition: true, [.nearest], steps: nil, temperature: nil)

    static func make(
        _ fingerprint: String, perPosition: Bool, _ assignments: [Assignment], steps: Int?, temperature: Float?,
        codebookSize: Int = 16
    ) -> TokenContract {
        TokenContract(
            architecture: "fake", tokensPerImage: 4, codebookSize: codebookSize, perPositionCodebooks: perPosition,
            assignments: assignments, defaultSteps: steps, defaultTemperature: temperature,
            preprocessing: Preprocessing(filter: .bicubic, size: 16), precision: .fp32, fingerprint: fingerprint,
            parameters: 1234)
    }
}
