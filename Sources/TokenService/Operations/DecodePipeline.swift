import Batching
import ImageInput
import TokenFormats
import TokenizerCore

/// An image, and its PNG file where the response wants one.
struct DecodedImage: Sendable {
    let image: RGBImage
    let file: [UInt8]
}

/// A request's tokens to images: decoded on the engine's thread, made into files on preprocessing threads.
struct DecodePipeline: Sendable {
    let exchange: Exchange
    let model: Engine.Model
    let parameters: DecodeParameters
    /// As they came; checked one by one.
    let sequences: [[Int64]]
    let wantsFiles: Bool

    /// - Returns: one result for each sequence.
    /// - Throws: what fails the request as a whole.
    func run() async throws(ServiceError) -> ImageResults<DecodedImage> {
        try exchange.admit(sequences.count, of: kind)
        return try await ImageResults(count: sequences.count) { index throws(ServiceError) in try await decode(index) }
    }

    private var kind: WorkKind { WorkKind(.decode, model: model.id, steps: parameters.decode.steps) }

    private func decode(_ index: Int) async throws(ServiceError) -> DecodedImage {
        let tokens: [Int32]
        do throws(ServiceError) {
            tokens = try translated(
                try TokenIDs.local(sequences[index], model.contract, in: parameters.idSpace))
        } catch {
            exchange.finishedOne()
            throw error
        }
        let options = parameters.decode
        let image = try await exchange.compute(kind, on: model) {
            tokenizer throws(TokenizerError) in try tokenizer.decode(tokens, options: options)
        }
        guard wantsFiles else { return DecodedImage(image: image, file: []) }
        let file = try exchange.timed(\.postprocess) { encodePNG(image) }
        return DecodedImage(image: image, file: file)
    }
}
