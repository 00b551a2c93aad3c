import Batching
import HTTPWire
import ImageInput
import TokenFormats
import TokenizerCore

/// `POST /v1/encode`: images to tokens.
enum EncodeRoute {
    static func routes(_ limits: ServiceLimits) -> [Route] {
        let rule = BodyRule(
            inputs: ImageBody.inputs(limits), assumed: MediaType.octets,
            outputs: [MediaType.json, MediaType.npy, MediaType.octets])
        return [Route("POST", "/v1/encode", needs: .models, .work(rule, respond))]
    }

    private static func respond(_ exchange: Exchange, _ work: WorkRequest) async throws(ServiceError) -> HTTPResponse {
        let request = try Request(exchange, work)
        let contract = request.contract
        let images = try await EncodePipeline(
            exchange: exchange, model: request.model, parameters: request.parameters,
            body: request.body
        ).run()
        let body = try exchange.timed(\.postprocess) { () throws(ServiceError) in
            let space = request.parameters.idSpace
            switch request.output {
            case MediaType.npy:
                return ResponseJSON.tokenArray(
                    try images.values(of: request.body.name), contract: contract, idSpace: space)
            case MediaType.octets:
                return ResponseJSON.tokenOctets(
                    try images.values(of: request.body.name), contract: contract, idSpace: space)
            default:
                return ResponseJSON.tokens(
                    images.all, named: request.body.name, model: request.model.id, contract: contract, idSpace: space)
            }
        }
        guard request.output == MediaType.json else { return Responses.ok(request.output, body) }
        return exchange.list(body, ListOutcome(of: images.all))
    }

    /// What is asked for.
    private struct Request {
        let model: Engine.Model
        /// Of the options, not only of the model.
        let contract: TokenContract
        let parameters: EncodeParameters
        let body: ImageBody
        /// The response's media type.
        let output: String

        init(_ exchange: Exchange, _ work: WorkRequest) throws(ServiceError) {
            let service = exchange.service
            let limits = service.configuration.limits
            var (body, options) = try ImageBody.read(exchange.head, work, limits)
            model = try service.model(try options.string("model"))
            exchange.use(model.contract)
            parameters = try EncodeParameters(reading: &options)
            try body.readInput(&options, limits: limits)
            try options.finish()
            self.body = body
            try translated(try parameters.check(for: model.contract))
            contract = parameters.contract(of: model.contract)
            exchange.use(contract)
            guard let output = MediaType.choose(work.rule.outputs, for: exchange.head.headers) else {
                throw notAcceptable(work.rule.outputs, exchange.head.headers)
            }
            guard output == MediaType.json || !parameters.encode.wantsMargins else {
                throw .badOption("margin", "\(output) has no place for it, expected Accept: \(MediaType.json)")
            }
            self.output = output
        }
    }
}

extension EncodeParameters {
    /// `assignment`, `exif`, `alpha`, `margin`, `id_space`.
    init(reading options: inout OptionReader) throws(ServiceError) {
        self.init()
        try readImageOptions(&options)
        encode.wantsMargins = try options.bool("margin") ?? false
        idSpace = try options.choice("id_space", of: IDSpace.allCases) ?? .local
    }

    /// `assignment`, `exif`, `alpha`.
    mutating func readImageOptions(_ options: inout OptionReader) throws(ServiceError) {
        encode.assignment = try options.choice("assignment", of: Assignment.allCases)
        picture.orientation = try options.choice("exif", of: [.apply, .ignore]) ?? .apply
        picture.alpha = try options.choice("alpha", of: [.white, .black, .drop]) ?? .white
    }
}
