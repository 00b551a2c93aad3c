import Batching
import Evaluation
import HTTPWire
import ImageInput
import TokenizerCore

/// `POST /v1/reconstruct`: a picture through its tokens and back, and how much was lost.
enum ReconstructRoute {
    static func routes(_ limits: ServiceLimits) -> [Route] {
        let rule = BodyRule(
            inputs: PictureBody.inputs(limits), assumed: MediaType.octets, outputs: [MediaType.png])
        return [
            Route(
                "POST", "/v1/reconstruct", needs: .models,
                .work(rule) { service, context, request in
                    context.attempt { () throws(ServiceError) in
                        try start(service, context, request, rule)
                    }
                })
        ]
    }

    private static func start(
        _ service: TokenService, _ context: RequestContext, _ request: HTTPRequest, _ rule: BodyRule
    ) throws(ServiceError) {
        var (body, options) = try PictureBody.read(request, rule, service.configuration.limits)
        let model = try service.model(try options.string("model"))
        context.use(model.contract)
        var encode = EncodeParameters()
        try encode.readPicture(&options)
        var decode = DecodeParameters()
        try decode.readSampling(&options)
        try body.readInput(&options, limits: service.configuration.limits)
        try options.finish()
        try encode.check(for: model.contract)
        context.use(encode.contract(of: model.contract))
        try decode.check(for: model.contract)
        guard body.count == 1 else {
            throw .badOption(body.name, "found \(body.count) pictures, expected one")
        }
        let kind = WorkKind(.reconstruct, model: model.id, steps: decode.decode.steps)
        try context.admit(1, of: kind, service.admission)
        let picture = try context.timed(\.preprocess) { () throws(ServiceError) in
            try service.prepare(body, 0, options: encode.picture, for: model)
        }
        let work = Job.Work.reconstruct(picture.image, encode.encode, decode.decode)
        service.run(work, on: model, for: context) { outcome in
            service.workers.run(urgent: true) {
                context.attempt { () throws(ServiceError) in
                    guard case .reconstruction(_, let image) = try outcome.get() else { throw .mixedUp }
                    try context.send(
                        context.timed(\.postprocess) { answer(image, reference: picture.image) })
                }
            }
        }
    }

    private static func answer(_ image: RGBImage, reference: RGBImage) -> HTTPResponse {
        var fields = [("X-Tessera-PSNR", Answers.decimals(Quality.psnr(image, reference)))]
        if let ssim = Quality.ssim(image, reference) {
            fields.append(("X-Tessera-SSIM", Answers.decimals(ssim)))
        }
        return Responses.ok(MediaType.png, encodePNG(image), fields)
    }
}

extension Answers {
    /// A number to four decimals; "inf" for equal pictures' PSNR.
    public static func decimals(_ value: Double) -> String {
        value.isFinite ? "\((value * 10_000).rounded() / 10_000)" : "inf"
    }
}
