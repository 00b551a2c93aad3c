import Dispatch
import Patience
import Synchronization
import TokenizerCore

@testable import Batching

/// A model of 4 x 4 images and 2 tokens of 16: tokens are the first two samples modulo 16; a first sample of 255 fails.
final class FakeTokenizer: Tokenizer {
    let contract: TokenContract
    /// Called before every image.
    private let hook: @Sendable () -> Void

    init(fingerprint: String = "fake", hook: @escaping @Sendable () -> Void = {}) {
        contract = TokenContract(
            architecture: "fake", tokensPerImage: 2, codebookSize: 16, perPositionCodebooks: false,
            assignments: [.nearest], defaultSteps: nil, defaultTemperature: nil,
            preprocessing: Preprocessing(filter: .bicubic, size: 4), precision: .fp32, fingerprint: fingerprint,
            parameters: 1)
        self.hook = hook
    }

    func encode(_ image: RGBImage, options: EncodeOptions) throws(TokenizerError) -> TokenSequence {
        hook()
        guard image.pixels[0] != 255 else { throw .imageSize(found: [255], expected: [0]) }
        return TokenSequence(ids: [Int32(image.pixels[0] & 15), Int32(image.pixels[1] & 15)])
    }

    func decode(_ tokens: [Int32], options: DecodeOptions) throws(TokenizerError) -> RGBImage {
        hook()
        try contract.check(tokens)
        return RGBImage(width: 4, height: 4, pixels: [UInt8](repeating: UInt8(tokens[0]), count: 48))
    }

    func codebook() -> CodebookTable { CodebookTable(shape: [2, 1], values: [0.5, -0.5]) }
}

extension Engine.Model {
    /// A model that no engine has.
    static func stranger(_ id: String) -> Engine.Model {
        Engine.Model(
            id: id, contract: FakeTokenizer().contract, generation: Generation(number: -1, whenUnused: { _ in }))
    }
}

/// An image whose first sample is `first`.
func picture(_ first: UInt8) -> RGBImage {
    RGBImage(width: 4, height: 4, pixels: [first] + [UInt8](repeating: 3, count: 47))
}

/// Collects outcomes from any thread.
final class Inbox<Value: Sendable>: Sendable {
    private let values = Mutex<[Value]>([])
    private let arrived = DispatchSemaphore(value: 0)

    func put(_ value: Value) {
        values.withLock { $0.append(value) }
        arrived.signal()
    }

    /// Blocks until `count` further ones are there, or for as long as tests wait; all so far.
    func take(_ count: Int) -> [Value] {
        for _ in 0..<count where !arrived.comes() { break }
        return values.withLock { $0 }
    }

    var all: [Value] { values.withLock { $0 } }
}
