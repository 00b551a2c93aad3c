import Batching
import Evaluation
import HTTPWire
import ImageInput
import TokenFormats
import TokenizerCore

/// `POST /v1/reconstruct`: a picture through its tokens and back, and how much was lost.
enum ReconstructRoute {
    static func routes(_ limits: ServiceLimits) -> [Route] {
        let rule = BodyRule(
            inputs: PictureBody.inputs(limits), assumed: MediaType.octets, outputs: [MediaType.png])
        return [Route("POST", "/v1/reconstruct", needs: .models, .work(rule, respond))]
    }

    private static func respond(_ exchange: Exchange, _ work: WorkRequest) async throws(ServiceError) -> HTTPResponse {
        let service = exchange.service
        let limits = service.configuration.limits
        var (body, options) = try PictureBody.read(exchange.head, work, limits)
        let model = try service.model(try options.string("model"))
        exchange.use(model.contract)
        var encode = EncodeParameters()
        try encode.readPicture(&options)
        var decode = DecodeParameters()
        try decode.readSampling(&options)
        try body.readInput(&options, limits: limits)
        try options.finish()
        try translated(try encode.check(for: model.contract))
        exchange.use(encode.contract(of: model.contract))
        try translated(try decode.check(for: model.contract))
        guard body.count == 1 else {
            throw .badOption(body.name, "found \(body.count) pictures, expected one")
        }
        let (picture, image) = try await ReconstructPipeline(
            exchange: exchange, model: model, encode: encode, decode: decode, body: body
        ).run()
        return try exchange.timed(\.postprocess) { answer(image, reference: picture) }
    }

    private static func answer(_ image: RGBImage, reference: RGBImage) -> HTTPResponse {
        var fields = [("X-Tessera-PSNR", decimals(Quality.psnr(image, reference)))]
        if let ssim = Quality.ssim(image, reference) {
            fields.append(("X-Tessera-SSIM", decimals(ssim)))
        }
        return Responses.ok(MediaType.png, encodePNG(image), fields)
    }
}

/// A request's picture to tokens and back.
struct ReconstructPipeline: Sendable {
    let exchange: Exchange
    let model: Engine.Model
    let encode: EncodeParameters
    let decode: DecodeParameters
    /// Of one picture.
    let body: PictureBody

    /// - Returns: the picture as the model saw it, and what it made of it.
    func run() async throws(ServiceError) -> (picture: RGBImage, image: RGBImage) {
        let kind = WorkKind(.reconstruct, model: model.id, steps: decode.decode.steps)
        try exchange.admit(1, of: kind)
        let picture = try exchange.prepare(body, 0, options: encode.picture, for: model).image
        let (encodeOptions, decodeOptions) = (encode.encode, decode.decode)
        let (tokens, image) = try await exchange.compute(kind, on: model) {
            tokenizer throws(TokenizerError) in
            let tokens = try tokenizer.encode(picture, options: encodeOptions)
            return (tokens, try tokenizer.decode(tokens.ids, options: decodeOptions))
        }
        exchange.service.metrics.encoded(tokens, by: model)
        return (picture, image)
    }
}

extension ReconstructRoute {
    /// A number to four decimals; "inf" for the PSNR of equal images.
    private static func decimals(_ value: Double) -> String {
        value.isFinite ? "\((value * 10_000).rounded() / 10_000)" : "inf"
    }
}
