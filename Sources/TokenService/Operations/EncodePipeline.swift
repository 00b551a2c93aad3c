import Batching
import ImageInput
import TokenFormats
import TokenizerCore

/// A request's images to tokens: prepared on preprocessing threads, encoded on the engine's.
struct EncodePipeline: Sendable {
    let exchange: Exchange
    let model: Engine.Model
    let parameters: EncodeParameters
    let body: ImageBody

    /// - Returns: one result for each image.
    /// - Throws: what fails the request as a whole.
    func run() async throws(ServiceError) -> ImageResults<EncodedImage> {
        try exchange.admit(body.count, of: kind)
        return try await ImageResults(count: body.count) { index throws(ServiceError) in try await encode(index) }
    }

    private var kind: WorkKind { WorkKind(.encode, model: model.id) }

    private func encode(_ index: Int) async throws(ServiceError) -> EncodedImage {
        if body.count > 1 { await exchange.service.workers.turn() }
        let prepared = try prepare(index)
        let options = parameters.encode
        let tokens = try await exchange.compute(kind, on: model) {
            tokenizer throws(TokenizerError) in try tokenizer.encode(prepared.image, options: options)
        }
        exchange.service.metrics.encoded(tokens, by: model)
        return EncodedImage(source: prepared.source, tokens: tokens)
    }

    private func prepare(_ index: Int) throws(ServiceError) -> PreparedImage {
        do throws(ServiceError) {
            try exchange.checkAlive()
            return try exchange.prepare(body, index, options: parameters.picture, for: model)
        } catch {
            exchange.finishedOne()
            throw error
        }
    }
}
