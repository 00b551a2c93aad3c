import Batching
import ImageInput
import TokenFormats
import TokenizerCore

/// A request's image to tokens and back.
struct ReconstructPipeline: Sendable {
    let exchange: Exchange
    let model: Engine.Model
    let encode: EncodeParameters
    let decode: DecodeParameters
    /// Of one image.
    let body: ImageBody

    /// - Returns: the image as the model saw it, and what it made of it.
    func run() async throws(ServiceError) -> (reference: RGBImage, image: RGBImage) {
        let kind = WorkKind(.reconstruct, model: model.id, steps: decode.decode.steps)
        try exchange.admit(1, of: kind)
        let reference = try exchange.prepare(body, 0, options: encode.picture, for: model).image
        let (encodeOptions, decodeOptions) = (encode.encode, decode.decode)
        let (tokens, image) = try await exchange.compute(kind, on: model) {
            tokenizer throws(TokenizerError) in
            let tokens = try tokenizer.encode(reference, options: encodeOptions)
            return (tokens, try tokenizer.decode(tokens.ids, options: decodeOptions))
        }
        exchange.service.metrics.encoded(tokens, by: model)
        return (reference, image)
    }
}
