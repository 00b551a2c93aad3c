import Batching
import HTTPWire
import JSON
import TokenFormats
import TokenizerCore

/// `POST /v2/models/{id}/infer`: the Open Inference Protocol in front of the same encoding and decoding.
enum InferRoute {
    static func routes(_ limits: ServiceLimits) -> [Route] {
        let types = [MediaType.json, MediaType.octets]
        let rule = BodyRule(
            inputs: types.map { ($0, limits.bodyBytes) }, assumed: MediaType.octets, outputs: types)
        return KServeRoute.models.map { path in
            Route("POST", path + "/infer", needs: .models, .work(rule, respond))
        }
    }

    private static func respond(_ exchange: Exchange, _ work: WorkRequest) async throws(ServiceError) -> HTTPResponse {
        let request = try Request(exchange, work)
        switch request.model.operation {
        case .encode: return try await request.encode()
        case .decode: return try await request.decode()
        }
    }

    /// What is asked for; its tensors are read later.
    private struct Request: Sendable {
        let exchange: Exchange
        let model: KServeModel
        let inference: InferenceRequest
        let options: OptionReader
        let isBinary: Bool

        init(_ exchange: Exchange, _ work: WorkRequest) throws(ServiceError) {
            self.exchange = exchange
            model = try exchange.service.kserveModel(exchange.parameter("id"))
            exchange.use(model.model.contract)
            try refuseQuery(exchange.head, "options are the request's parameters")
            inference = try InferenceRequest(
                work.body, jsonLength: try InferenceRequest.jsonLength(exchange.head))
            var options = OptionReader(json: inference.parameters)
            isBinary = try inference.wantsBinary(
                model.output.name, fallback: try options.bool("binary_data_output") ?? false)
            try options.takeClientRequest()
            self.options = options
            let type = isBinary ? MediaType.octets : MediaType.json
            let headers = exchange.head.headers
            guard MediaType.choose([type], for: headers) != nil else { throw notAcceptable([type], headers) }
        }

        func encode() async throws(ServiceError) -> HTTPResponse {
            var options = self.options
            var parameters = EncodeParameters()
            try parameters.readImageOptions(&options)
            parameters.idSpace = try options.choice("id_space", of: IDSpace.allCases) ?? .local
            try options.finish()
            try translated(try parameters.check(for: model.model.contract))
            let contract = parameters.contract(of: model.model.contract)
            exchange.use(contract)
            let input = try inference.input(model.input.name)
            guard input.shape.count == 1 || (input.shape.count == 2 && input.shape[1] == 1) else {
                throw .badOption("\(input.name).shape", "found \(input.shape), expected [n] or [n, 1]")
            }
            try translated(
                try checkImageCount(input.count, name: input.name, exchange.service.configuration.limits))
            let images = try await EncodePipeline(
                exchange: exchange, model: model.model, parameters: parameters,
                body: try input.images()
            ).run().values(of: input.name)
            return try exchange.timed(\.postprocess) { tokens(images, contract, parameters.idSpace) }
        }

        private func tokens(
            _ images: [EncodedImage], _ contract: TokenContract, _ space: IDSpace
        ) -> HTTPResponse {
            let data: KServeJSON.Data =
                isBinary
                ? .binary(ResponseJSON.tokenOctets(images, contract: contract, idSpace: space, bytesEach: 4))
                : .json(JSONValue(images.flatMap { TokenIDs.published($0.tokens.ids, contract, in: space) }))
            return KServeJSON.inference(
                model, contract: contract, id: inference.id, shape: [images.count, contract.tokensPerImage], data)
        }

        func decode() async throws(ServiceError) -> HTTPResponse {
            var options = self.options
            let parameters = try DecodeParameters(reading: &options)
            try options.finish()
            try translated(try parameters.check(for: model.model.contract))
            let images = try await DecodePipeline(
                exchange: exchange, model: model.model, parameters: parameters,
                sequences: try sequences(), wantsFiles: true
            ).run().values(of: model.input.name)
            return try exchange.timed(\.postprocess) { files(images.map(\.file)) }
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
            try translated(
                try checkImageCount(input.shape[0], name: input.name, exchange.service.configuration.limits))
            let ids = try input.integers()
            return stride(from: 0, to: ids.count, by: length).map { Array(ids[$0..<($0 + length)]) }
        }

        private func files(_ files: [[UInt8]]) -> HTTPResponse {
            let data: KServeJSON.Data =
                isBinary
                ? .binary(files.flatMap { InferenceTensor.element($0) })
                : .json(JSONValue(files.map { Base64.encode($0) }))
            return KServeJSON.inference(
                model, contract: model.model.contract, id: inference.id, shape: [files.count], data)
        }
    }
}
