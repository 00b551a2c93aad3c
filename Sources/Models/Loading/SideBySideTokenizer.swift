import Tensor
import TokenizerCore

/// A model together with others on the same weights, each of which has its share of the processors: so images can be
/// computed side by side.
final class SideBySideTokenizer: Tokenizer {
    let base: any Tokenizer
    private let threads: Int
    let replicas: [any Tokenizer]

    /// - Parameters:
    ///   - threads: of `base`, which was loaded with as many.
    ///   - replicas: empty in a replica.
    init(_ base: any Tokenizer, threads: Int, replicas: [SideBySideTokenizer] = []) {
        self.base = base
        self.threads = threads
        self.replicas = replicas
    }

    var contract: TokenContract { base.contract }

    func encode(_ image: RGBImage, options: EncodeOptions) throws(TokenizerError) -> TokenSequence {
        Compute.setThreads(threads)
        return try base.encode(image, options: options)
    }

    func decode(_ tokens: [Int32], options: DecodeOptions) throws(TokenizerError) -> RGBImage {
        Compute.setThreads(threads)
        return try base.decode(tokens, options: options)
    }

    func codebook() -> CodebookTable { base.codebook() }

    func onProgress(_ body: @escaping () -> Void) {
        base.onProgress(body)
        for replica in replicas { replica.onProgress(body) }
    }
}
