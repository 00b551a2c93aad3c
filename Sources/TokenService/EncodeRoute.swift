import Batching
import HTTPWire
import ImageInput
import JSON
import TokenizerCore

/// `POST /v1/encode`: pictures to tokens.
enum EncodeRoute {
    static func routes(_ limits: ServiceLimits) -> [Route] {
        let rule = BodyRule(
            inputs: PictureBody.inputs(limits), assumed: MediaType.octets,
            outputs: [MediaType.json, MediaType.npy, MediaType.octets])
        return [
            Route(
                "POST", "/v1/encode", needs: .models,
                .work(rule) { service, context, request in
                    context.attempt { () throws(ServiceError) in
                        try Call(service, context, request, rule).start()
                    }
                })
        ]
    }

    /// One request, understood.
    private struct Call {
        let service: TokenService
        let context: RequestContext
        let model: Engine.Model
        /// Of the options, not only of the model.
        let contract: TokenContract
        let parameters: EncodeParameters
        let body: PictureBody
        let output: String

        init(
            _ service: TokenService, _ context: RequestContext, _ request: HTTPRequest, _ rule: BodyRule
        ) throws(ServiceError) {
            self.service = service
            self.context = context
            var (body, options) = try PictureBody.read(request, rule, service.configuration.limits)
            model = try service.model(try options.string("model"))
            context.use(model.contract)
            parameters = try EncodeParameters(reading: &options)
            try body.readInput(&options, limits: service.configuration.limits)
            try options.finish()
            self.body = body
            try parameters.check(for: model.contract)
            contract = parameters.contract(of: model.contract)
            context.use(contract)
            guard let output = MediaType.choose(rule.outputs, for: request.head.headers) else {
                throw notAcceptable(rule.outputs, request.head.headers)
            }
            guard output == MediaType.json || !parameters.encode.wantsMargins else {
                throw .badOption("margin", "\(output) has no place for it, expected Accept: \(MediaType.json)")
            }
            self.output = output
        }

        func start() throws(ServiceError) {
            let encoding = Encoding(
                service: service, context: context, model: model, parameters: parameters, body: body)
            try encoding.start { results throws(ServiceError) in try finish(results) }
        }

        private func finish(_ results: [Result<EncodedImage, ServiceError>]) throws(ServiceError) {
            let answer = try context.timed(\.postprocess) { () throws(ServiceError) in
                let space = parameters.idSpace
                switch output {
                case MediaType.npy:
                    return Answers.tokenArray(
                        try allValues(of: results, in: body.name), contract: contract, idSpace: space)
                case MediaType.octets:
                    return Answers.tokenOctets(
                        try allValues(of: results, in: body.name), contract: contract, idSpace: space)
                default:
                    return Answers.tokens(
                        results, named: body.name, model: model.id, contract: contract, idSpace: space)
                }
            }
            guard output == MediaType.json else { return context.send(Responses.ok(output, answer)) }
            context.send(list: answer, ListOutcome(of: results))
        }
    }
}

extension EncodeParameters {
    /// `assignment`, `exif`, `alpha`, `margin`, `id_space`.
    init(reading options: inout OptionReader) throws(ServiceError) {
        self.init()
        try readPicture(&options)
        encode.wantsMargins = try options.bool("margin") ?? false
        idSpace = try options.choice("id_space", of: IDSpace.allCases) ?? .local
    }

    /// `assignment`, `exif`, `alpha`.
    mutating func readPicture(_ options: inout OptionReader) throws(ServiceError) {
        encode.assignment = try options.choice("assignment", of: Assignment.allCases)
        picture.orientation = try options.choice("exif", of: [.apply, .ignore]) ?? .apply
        picture.alpha = try options.choice("alpha", of: [.white, .black, .drop]) ?? .white
    }
}
