import Foundation
import HTTPWire
import JSON
import Testing
import TokenizerCore

@testable import TokenService

@Suite(.timeLimit(.minutes(5))) struct KServeInferTests {
    private static let greys: [UInt8] = [5, 9]
    private static let texts = "[\"\(base64(png(5)))\",\"data:image/png;base64,\(base64(png(9)))\"]"

    /// Two pictures in each form that a request may have.
    private static let pictures: [Inference] = [[2], [2, 1]].flatMap { shape in
        [
            Inference.input("image", "BYTES", shape, data: texts),
            Inference.input("image", "BYTES", shape, binary: greys.flatMap { element(png($0)) }),
        ]
    }

    @Test(arguments: pictures) func tokensAreThoseOfTheNativeRoute(body: Inference) throws {
        let client = try Client()
        let list = "{\"input\":\(Self.texts)}"
        let native = try JSONValue.parse(try client.post("/v1/encode", json: list).body)
        let tokens = try native["data"]?.arrayValue?.flatMap { try #require($0["tokens"]?.arrayValue) }
        let response = try client.infer("m-encode", body)
        #expect(response.status == 200)
        #expect(response.headers.first("Content-Type") == "application/json")
        #expect(response.headers.first("X-Tessera-Contract") == "aa11")
        let answer = try InferenceOutput(response)
        #expect(answer.answer.objectValue?.names == ["model_name", "model_version", "parameters", "outputs"])
        #expect(answer.answer["model_name"] == "m-encode")
        #expect(answer.answer["model_version"] == "1")
        #expect(answer.answer["parameters"] == ["contract": "aa11"])
        #expect(answer.output["name"] == "tokens")
        #expect(answer.output["datatype"] == "INT32")
        #expect(answer.output["shape"] == [2, 4])
        #expect(answer.output["data"]?.arrayValue == tokens)
    }

    @Test(arguments: [
        (#","parameters":{"binary_data_output":true}"#, true),
        (#","outputs":[{"name":"tokens","parameters":{"binary_data":true}}]"#, true),
        (#","outputs":[],"parameters":{"binary_data_output":true}"#, true),
        (#","outputs":[{"name":"tokens"}],"parameters":{"binary_data_output":true}"#, true),
        (
            #","outputs":[{"name":"tokens","parameters":{"binary_data":false}}],"parameters":{"binary_data_output":true}"#,
            false
        ),
        (#","outputs":[{"name":"tokens"}]"#, false), (#","id":null,"outputs":null"#, false),
    ])
    func outputsAreBytesWhereAskedFor(more: String, isBinary: Bool) throws {
        let client = try Client()
        for body in [
            Inference.input("image", "BYTES", [1], data: "[\"\(base64(png(5)))\"]", more),
            .input("image", "BYTES", [1], binary: element(png(5)), more),
        ] {
            let response = try client.infer("m-encode", body)
            #expect(response.status == 200)
            let answer = try InferenceOutput(response)
            #expect(answer.output["shape"] == [1, 4])
            if isBinary {
                #expect(response.headers.first("Content-Type") == "application/octet-stream")
                #expect(answer.output["parameters"] == ["binary_data_size": 16])
                #expect(answer.output["data"] == nil)
                #expect(answer.binary == littleEndian([5, 5, 5, 5], width: 4))
            } else {
                #expect(response.headers.first("Content-Type") == "application/json")
                #expect(response.headers.first("Inference-Header-Content-Length") == nil)
                #expect(answer.output["data"] == [5, 5, 5, 5])
            }
        }
    }

    /// Tokens of two pictures in each form that a request may have.
    private static let tokens: [Inference] = {
        let ids = [1, 2, 3, 4, 2, 3, 4, 5]
        let types = [("INT32", 4), ("INT64", 8), ("UINT16", 2), ("UINT8", 1)]
        return types.map { Inference.input("tokens", $0.0, [2, 4], binary: littleEndian(ids, width: $0.1)) } + [
            .input("tokens", "INT32", [2, 4], data: "\(ids)"),
            .input("tokens", "INT64", [2, 4], data: "[[1,2,3,4],[2,3,4,5]]"),
        ]
    }()

    @Test(arguments: tokens) func picturesAreThoseOfTheNativeRoute(body: Inference) throws {
        let client = try Client()
        let native = try JSONValue.parse(
            try client.post("/v1/decode", json: #"{"tokens":[[1,2,3,4],[2,3,4,5]]}"#).body)
        let files = try (0..<2).map { try #require(native["data"]?[$0]?["b64_json"]) }
        let json = try InferenceOutput(try client.infer("m-decode", body))
        #expect(json.output["name"] == "image")
        #expect(json.output["datatype"] == "BYTES")
        #expect(json.output["shape"] == [2])
        #expect(json.output["data"] == .array(files))
        var binary = body
        binary.json = String(body.json.dropLast()) + #","parameters":{"binary_data_output":true}}"#
        let bytes = try InferenceOutput(try client.infer("m-decode", binary))
        let expected = try files.flatMap { try element([UInt8](#require(Data(base64Encoded: $0.stringValue ?? "")))) }
        #expect(bytes.binary == expected)
        #expect(bytes.output["parameters"] == ["binary_data_size": JSONValue(expected.count)])
    }

    @Test func theIDComesBack() throws {
        let client = try Client()
        let body = Inference.input("tokens", "INT32", [1, 4], data: "[1,2,3,4]", #","id":"a \"b\"""#)
        let answer = try InferenceOutput(try client.infer("m-decode", body)).answer
        #expect(answer.objectValue?.names == ["model_name", "model_version", "id", "parameters", "outputs"])
        #expect(answer["id"] == "a \"b\"")
        #expect(try InferenceOutput(try client.infer("m-decode/versions/1", body)).answer == answer)
    }

    @Test(arguments: [
        ("m", #""assignment":"nearest""#, [6, 6, 6, 6]), ("m", #""assignment":"sinkhorn""#, [5, 5, 5, 5]),
        ("b", #""id_space":"global""#, [5, 21, 37, 53]), ("b", #""exif":"ignore","alpha":"drop""#, [5, 5, 5, 5]),
    ])
    func parametersAreTheOptionsOfAnEncoding(model: String, parameters: String, tokens: [Int]) throws {
        let client = try Client([("m", .steps), ("b", .books)])
        for binary in [false, true] {
            let more = #","parameters":{\#(parameters),"binary_data_output":\#(binary)}"#
            let answer = try InferenceOutput(
                try client.infer("\(model)-encode", .input("image", "BYTES", [1], binary: element(png(5)), more)))
            if binary {
                #expect(answer.binary == littleEndian(tokens, width: 4))
            } else {
                #expect(answer.output["data"] == JSONValue(tokens))
            }
        }
    }

    @Test(
        arguments: [
            (#""seed":7"#, [15, 6, 7]), (#""steps":3,"temperature":2.5"#, [15, 6, 32]),
            (#""contract":"aa11""#, [15, 6, 0]), (#""id_space":"global","seed":null"#, [15, 6, 0]),
        ] as [(String, [UInt8])])
    func parametersAreTheOptionsOfADecoding(parameters: String, pixel: [UInt8]) throws {
        let more = #","parameters":{\#(parameters),"binary_data_output":true}"#
        let body = Inference.input("tokens", "INT32", [1, 4], data: "[5,6,7,8]", more)
        let answer = try InferenceOutput(try Client().infer("m-decode", body))
        #expect(try firstPixel(Array(answer.binary.dropFirst(4))) == pixel)
    }

    @Test func whatEncodeGivesDecodeTakes() throws {
        let client = try Client([("b", .books)])
        let more = #","parameters":{"id_space":"global","binary_data_output":true}"#
        let tokens = try InferenceOutput(
            try client.infer("b-encode", .input("image", "BYTES", [1], binary: element(png(5)), more)))
        let picture = try InferenceOutput(
            try client.infer("b-decode", .input("tokens", "INT32", [1, 4], binary: tokens.binary, more)))
        #expect(try firstPixel(Array(picture.binary.dropFirst(4))) == [15, 5, 0])
    }

    @Test func aFullQueueRefusesAndRecovers() throws {
        let client = try Client { $0.limits.queuedImages = 2 }
        client.gate.close()
        let body = Inference.input("tokens", "INT32", [2, 4], data: "[1,2,3,4,5,6,7,8]")
        let held = client.start("POST", "/v2/models/m-decode/infer", body.fields, body.body)
        try #require(client.gate.awaitArrival())
        #expect(client.service.admission.images == 2)
        let refused = try client.infer("m-decode", body)
        #expect(refused.status == 429)
        #expect(refused.headers.first("Retry-After") == "1")
        #expect(try protocolError(refused) == "the queue has no room for this request: it takes 2 images")
        client.gate.open()
        #expect(try held.get().status == 200)
        #expect(client.service.admission.images == 0)
        #expect(try client.infer("m-decode", body).status == 200)
    }

    @Test func deadlinesAndDeparturesAreTheSame() throws {
        let client = try Client()
        client.gate.close()
        let body = Inference.input("image", "BYTES", [1], binary: element(png(5)))
        let path = "/v2/models/m-encode/infer"
        let held = client.start("POST", path, body.fields, body.body)
        try #require(client.gate.awaitArrival())
        let late = client.start("POST", path, body.fields + [("X-Request-Timeout-Ms", "30")], body.body)
        let expired = try late.get()
        #expect(expired.status == 504)
        #expect(try protocolError(expired) == "the request's deadline passed before it ran")
        let gone = client.start("POST", path, body.fields, body.body)
        #expect(eventually { client.service.engine.waiting > 0 })
        gone.cancel()
        #expect(eventually { client.service.admission.images == 1 })
        client.gate.open()
        #expect(try held.get().status == 200)
        let metrics = try text(client.get("/metrics"))
        #expect(metrics.contains(#"tessera_http_requests_total{route="/v2/models/{id}/infer",code="200"} 1"#))
        #expect(metrics.contains(#"tessera_http_requests_total{route="/v2/models/{id}/infer",code="504"} 1"#))
    }
}
