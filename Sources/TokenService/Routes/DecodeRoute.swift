import Batching
import HTTPWire
import ImageInput
import JSON
import TokenFormats
import TokenizerCore

/// `POST /v1/decode`: tokens to images.
enum DecodeRoute {
    static func routes(_ limits: ServiceLimits) -> [Route] {
        let rule = BodyRule(
            inputs: [MediaType.json, MediaType.npy, MediaType.octets].map { ($0, limits.bodyBytes) },
            outputs: Format.allCases.map(\.mediaType))
        return [Route("POST", "/v1/decode", needs: .models, .work(rule, respond))]
    }

    private static func respond(_ exchange: Exchange, _ work: WorkRequest) async throws(ServiceError) -> HTTPResponse {
        let request = try Request(exchange, work)
        let images = try await DecodePipeline(
            exchange: exchange, model: request.model, parameters: request.parameters,
            sequences: request.sequences, wantsFiles: request.output != MediaType.npy
        ).run()
        let body = try exchange.timed(\.postprocess) { () throws(ServiceError) in
            switch request.output {
            case MediaType.png: return try images.values(of: "tokens").flatMap(\.file)
            case MediaType.npy:
                let decoded = try images.values(of: "tokens").map(\.image)
                return ResponseJSON.imageArray(decoded, contract: request.model.contract)
            default:
                return ResponseJSON.images(images.all.map { $0.map(\.file) })
            }
        }
        guard request.output == MediaType.json else { return Responses.ok(request.output, body) }
        return exchange.list(body, ListOutcome(of: images.all))
    }

    /// `format`: what `Accept` would say.
    enum Format: String, CaseIterable {
        case png, json, npy

        var mediaType: String {
            switch self {
            case .png: MediaType.png
            case .json: MediaType.json
            case .npy: MediaType.npy
            }
        }
    }

    /// What is asked for.
    private struct Request {
        let model: Engine.Model
        let parameters: DecodeParameters
        let sequences: [[Int64]]
        /// The response's media type.
        let output: String

        init(_ exchange: Exchange, _ work: WorkRequest) throws(ServiceError) {
            let (service, head) = (exchange.service, exchange.head)
            let type = work.rule.contentType(of: head)
            var options =
                type == MediaType.json
                ? OptionReader(json: try jsonObject(head, work.body)) : try OptionReader(query: head.query)
            model = try service.model(try options.string("model"))
            exchange.use(model.contract)
            parameters = try DecodeParameters(reading: &options)
            let format = try options.choice("format", of: Format.allCases)
            var tokens: JSONValue?
            if type == MediaType.json { tokens = try Self.tokens(&options) }
            try options.finish()
            try translated(try parameters.check(for: model.contract))
            let reader = TokenBody(
                contract: model.contract, idSpace: parameters.idSpace, limits: service.configuration.limits)
            switch type {
            case MediaType.npy: sequences = try translated(try reader.array(work.body))
            case MediaType.octets: sequences = try translated(try reader.octets(work.body))
            default: sequences = try translated(try reader.json(tokens))
            }
            output = try Self.output(format, sequences.count, head)
        }

        /// `tokens`, or those of an encoding's whole response, whose other members say nothing here.
        private static func tokens(_ options: inout OptionReader) throws(ServiceError) -> JSONValue? {
            let tokens = options.value("tokens")
            guard let data = options.value("data") else { return tokens }
            for name in ["object", "usage"] { _ = options.value(name) }
            guard tokens == nil else { throw .badOption("tokens", "stands beside 'data', expected one of them") }
            return try translated(try TokenBody.json(ofResponse: data))
        }

        /// One PNG holds one image.
        private static func output(
            _ format: Format?, _ count: Int, _ head: HTTPRequestHead
        ) throws(ServiceError) -> String {
            let possible = Format.allCases.filter { count == 1 || $0 != .png }.map(\.mediaType)
            if let format {
                guard possible.contains(format.mediaType) else {
                    throw .badOption("format", "found 'png' for \(count) images, expected 'json' or 'npy'")
                }
                return format.mediaType
            }
            guard let output = MediaType.choose(possible, for: head.headers) else {
                throw notAcceptable(possible, head.headers)
            }
            return output
        }
    }
}

extension DecodeParameters {
    /// `contract`, `id_space`, `seed`, `steps`, `temperature`.
    init(reading options: inout OptionReader) throws(ServiceError) {
        self.init()
        contract = try options.string("contract")
        idSpace = try options.choice("id_space", of: IDSpace.allCases) ?? .local
        try readSampling(&options)
    }

    /// `seed`, `steps`, `temperature`.
    mutating func readSampling(_ options: inout OptionReader) throws(ServiceError) {
        decode.seed = try options.integer("seed", in: Self.seeds).map { UInt64($0) } ?? 0
        decode.steps = try options.integer("steps", in: 1...64).map { Int($0) }
        decode.temperature = try options.number("temperature", in: 0...100).map { Float($0) }
    }
}
