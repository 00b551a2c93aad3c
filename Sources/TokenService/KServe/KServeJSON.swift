import HTTPWire
import JSON
import TokenizerCore

/// Bodies of the Open Inference Protocol.
enum KServeJSON {
    /// An output's values.
    enum Data {
        case json(JSONValue)
        /// As a request's binary data.
        case binary([UInt8])
    }

    static func error(_ error: ServiceError) -> [UInt8] {
        let body: JSONValue = ["error": .string(error.message)]
        return body.write()
    }

    static func server() -> [UInt8] {
        let body: JSONValue = [
            "name": "tessera", "version": .string(TokenService.version), "extensions": ["binary_tensor_data"],
        ]
        return body.write()
    }

    static func metadata(_ model: KServeModel) -> [UInt8] {
        func value(_ tensor: KServeModel.Tensor) -> JSONValue {
            [
                "name": .string(tensor.name), "datatype": .string(tensor.datatype), "shape": JSONValue(tensor.shape),
            ]
        }
        let body: JSONValue = [
            "name": .string(model.name), "versions": [.string(KServeModel.version)],
            "platform": .string("tessera_\(model.model.contract.architecture)"), "inputs": [value(model.input)],
            "outputs": [value(model.output)],
        ]
        return body.write()
    }

    /// The response to an inference; binary data stands behind the JSON, whose length a field of the header tells.
    static func inference(
        _ model: KServeModel, contract: TokenContract, id: String?, shape: [Int], _ data: Data
    ) -> HTTPResponse {
        var output = JSONObject([
            ("name", .string(model.output.name)), ("datatype", .string(model.output.datatype)),
            ("shape", JSONValue(shape)),
        ])
        switch data {
        case .json(let value): output["data"] = value
        case .binary(let bytes): output["parameters"] = ["binary_data_size": JSONValue(bytes.count)]
        }
        var object = JSONObject([
            ("model_name", .string(model.name)), ("model_version", .string(KServeModel.version)),
        ])
        object["id"] = id.map { .string($0) }
        object["parameters"] = ["contract": .string(contract.fingerprint)]
        object["outputs"] = [.object(output)]
        let json = JSONValue.object(object).write()
        switch data {
        case .json: return Responses.ok(MediaType.json, json)
        case .binary(let bytes):
            return Responses.ok(MediaType.octets, json + bytes, [(InferenceRequest.lengthField, "\(json.count)")])
        }
    }
}
