import Batching
import HTTPWire
import JSON
import TokenizerCore

/// `POST /v2/models/{id}/infer`: the Open Inference Protocol in front of the same encoding and decoding.
enum InferRoute {
    static func routes(_ limits: ServiceLimits) -> [Route] {
        let types = [MediaType.json, MediaType.octets]
        let rule = BodyRule(
            inputs: types.map { ($0, limits.bodyBytes) }, assumed: MediaType.octets, outputs: types)
        return KServeRoute.models.map { path in
            Route(
                "POST", path + "/infer", needs: .models,
                .work(rule) { service, context, request in
                    context.attempt { () throws(ServiceError) in
                        try Call(service, context, request).start()
                    }
                })
        }
    }

    /// One request, understood but for its tensors.
    private struct Call: Sendable {
        let service: TokenService
        let context: RequestContext
        let model: KServeModel
        let inference: InferenceRequest
        let options: OptionReader
        let isBinary: Bool

        init(
            _ service: TokenService, _ context: RequestContext, _ request: HTTPRequest
        ) throws(ServiceError) {
            self.service = service
            self.context = context
            let segments = request.head.path.split(separator: "/")
            model = try service.kserveModel(segments.count > 2 ? String(segments[2]) : "")
            context.use(model.model.contract)
            try refuseQuery(request.head, "options are the request's parameters")
            inference = try InferenceRequest(
                request.body, jsonLength: try InferenceRequest.jsonLength(request.head))
            var options = OptionReader(json: inference.parameters)
            isBinary = try inference.wantsBinary(
                model.output.name, fallback: try options.bool("binary_data_output") ?? false)
            try options.takeClientRequest()
            self.options = options
            let type = isBinary ? MediaType.octets : MediaType.json
            let headers = request.head.headers
            guard MediaType.choose([type], for: headers) != nil else { throw notAcceptable([type], headers) }
        }

        func start() throws(ServiceError) {
            switch model.operation {
            case .encode: try encode()
            case .decode: try decode()
            }
        }

        private func encode() throws(ServiceError) {
            var options = self.options
            var parameters = EncodeParameters()
            try parameters.readPicture(&options)
            parameters.idSpace = try options.choice("id_space", of: IDSpace.allCases) ?? .local
            try options.finish()
            try parameters.check(for: model.model.contract)
            let contract = parameters.contract(of: model.model.contract)
            context.use(contract)
            let input = try inference.input(model.input.name)
            guard input.shape.count == 1 || (input.shape.count == 2 && input.shape[1] == 1) else {
                throw .badOption("\(input.name).shape", "found \(input.shape), expected [n] or [n, 1]")
            }
            try checkImageCount(input.count, name: input.name, service.configuration.limits)
            let encoding = Encoding(
                service: service, context: context, model: model.model, parameters: parameters,
                body: try input.pictures())
            let space = parameters.idSpace
            try encoding.start { results throws(ServiceError) in
                let images = try allValues(of: results, in: input.name)
                let answer = try context.timed(\.postprocess) { tokens(images, contract, space) }
                context.send(answer)
            }
        }

        private func tokens(
            _ images: [EncodedImage], _ contract: TokenContract, _ space: IDSpace
        ) -> HTTPResponse {
            let data: KServeAnswers.Data =
                isBinary
                ? .binary(Answers.tokenOctets(images, contract: contract, idSpace: space, bytesEach: 4))
                : .json(JSONValue(images.flatMap { Processing.published($0.tokens.ids, contract, in: space) }))
            return KServeAnswers.inference(
                model, contract: contract, id: inference.id, shape: [images.count, contract.tokensPerImage], data)
        }

        private func decode() throws(ServiceError) {
            var options = self.options
            let parameters = try DecodeParameters(reading: &options)
            try options.finish()
            try parameters.check(for: model.model.contract)
            let decoding = Decoding(
                service: service, context: context, model: model.model, parameters: parameters,
                sequences: try sequences(), wantsFiles: true)
            try decoding.start { results throws(ServiceError) in
                let images = try allValues(of: results, in: model.input.name)
                let answer = try context.timed(\.postprocess) { files(images.map(\.file)) }
                context.send(answer)
            }
        }

        private func sequences() throws(ServiceError) -> [[Int64]] {
            let input = try inference.input(model.input.name)
            let length = model.model.contract.tokensPerImage
            guard input.shape.count == 2 else {
                throw .badOption("\(input.name).shape", "found \(input.shape), expected [n, \(length)]")
            }
            guard input.shape[1] == length else {
                throw ServiceError(
                    422, "token_count", "'\(input.name)' is of shape \(input.shape), expected [n, \(length)]",
                    param: input.name)
            }
            try checkImageCount(input.shape[0], name: input.name, service.configuration.limits)
            let ids = try input.integers()
            return stride(from: 0, to: ids.count, by: length).map { Array(ids[$0..<($0 + length)]) }
        }

        private func files(_ files: [[UInt8]]) -> HTTPResponse {
            let data: KServeAnswers.Data =
                isBinary
                ? .binary(files.flatMap { InferenceTensor.element($0) })
                : .json(JSONValue(files.map { Base64.encode($0) }))
            return KServeAnswers.inference(
                model, contract: model.model.contract, id: inference.id, shape: [files.count], data)
        }
    }
}
