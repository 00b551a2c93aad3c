import Batching
import Evaluation
import HTTPWire
import ImageInput
import TokenFormats
import TokenizerCore

/// `POST /v1/reconstruct`: an image through its tokens and back, and how much was lost.
enum ReconstructRoute {
    static func routes(_ limits: ServiceLimits) -> [Route] {
        let rule = BodyRule(
            inputs: ImageBody.inputs(limits), assumed: MediaType.octets, outputs: [MediaType.png])
        return [Route("POST", "/v1/reconstruct", needs: .models, .work(rule, respond))]
    }

    private static func respond(_ exchange: Exchange, _ work: WorkRequest) async throws(ServiceError) -> HTTPResponse {
        let service = exchange.service
        let limits = service.configuration.limits
        var (body, options) = try ImageBody.read(exchange.head, work, limits)
        let model = try service.model(try options.string("model"))
        exchange.use(model.contract)
        var encode = EncodeParameters()
        try encode.readImageOptions(&options)
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
        let (reference, image) = try await ReconstructPipeline(
            exchange: exchange, model: model, encode: encode, decode: decode, body: body
        ).run()
        return try exchange.timed(\.postprocess) { response(image, reference: reference) }
    }

    private static func response(_ image: RGBImage, reference: RGBImage) -> HTTPResponse {
        var fields = [("X-Tessera-PSNR", decimals(Quality.psnr(image, reference)))]
        if let ssim = Quality.ssim(image, reference) {
            fields.append(("X-Tessera-SSIM", decimals(ssim)))
        }
        return Responses.ok(MediaType.png, encodePNG(image), fields)
    }
}

extension ReconstructRoute {
    /// A number to four decimals; "inf" for the PSNR of equal images.
    private static func decimals(_ value: Double) -> String {
        value.isFinite ? "\((value * 10_000).rounded() / 10_000)" : "inf"
    }
}
