import HTTPWire
import ImageInput
import JSON
import Testing
import TokenizerCore

@testable import TokenFormats
@testable import TokenService

@Suite(.timeLimit(.minutes(5))) struct DecodeTests {
    private static let json = "application/json"

    @Test func oneImageIsAPicture() throws {
        let client = try Client()
        for body in [#"{"tokens":[5,6,7,8]}"#, #"{"tokens":[[5,6,7,8]],"model":"m","contract":"aa11"}"#] {
            let response = try client.post("/v1/decode", json: body)
            #expect(response.status == 200)
            #expect(response.headers.first("Content-Type") == "image/png")
            #expect(response.headers.first("X-Tessera-Contract") == "aa11")
            let image = try decode(response.body).image
            #expect([image.width, image.height] == [16, 16])
            #expect(Array(image.pixels.prefix(3)) == [15, 6, 0])
        }
    }

    @Test func theSameRequestHasTheSameAnswer() throws {
        let client = try Client()
        let answers = try (0..<2).map { _ in try client.post("/v1/decode", json: #"{"tokens":[5,6,7,8]}"#).body }
        #expect(answers[0] == answers[1])
    }

    private static func file(_ first: UInt8, _ second: UInt8) -> String {
        let pixels = (0..<256).flatMap { _ -> [UInt8] in [first, second, 0] }
        return base64(encodePNG(RGBImage(width: 16, height: 16, pixels: pixels)))
    }

    @Test func severalImagesAreJSON() throws {
        let client = try Client()
        let response = try client.post("/v1/decode", json: #"{"tokens":[[1,2,3,4],[2,3,4,5]]}"#)
        let expected =
            #"{"data":[{"index":0,"b64_json":"\#(Self.file(3, 2))"},{"index":1,"b64_json":"\#(Self.file(6, 3))"}]}"#
        #expect(text(response) == expected)
        #expect(response.headers.first("Content-Type") == Self.json)
        let one = try client.post("/v1/decode", json: #"{"tokens":[1,2,3,4]}"#, accept: Self.json)
        #expect(text(one) == #"{"data":[{"index":0,"b64_json":"\#(Self.file(3, 2))"}]}"#)
    }

    @Test func aBadSequenceAmongSeveralHarmsNoOther() throws {
        let client = try Client()
        let body = #"{"tokens":[[1,2,3,4],[1,2,3],[1,16,3,4]]}"#
        let answer = try JSONValue.parse(try client.post("/v1/decode", json: body).body)
        #expect(answer["data"]?[0]?["b64_json"]?.stringValue == Self.file(3, 2))
        #expect(answer["data"]?[1]?["error"]?["code"] == "token_count")
        #expect(answer["data"]?[2]?["error"]?["message"] == "tokens[2]: the token at position 1 is 16, expected 0...15")
        let whole = try client.post("/v1/decode", json: body, accept: "application/x-npy")
        #expect(whole.status == 422)
        #expect(try error(whole, "param") == "tokens[1]")
    }

    @Test(
        arguments: [
            ("seed", "7", 7), ("steps", "3", 30), ("temperature", "2", 2), ("temperature", "0.0", 0),
            ("steps", "64", 640 & 255), ("seed", "9223372036854775807", nil),
        ] as [(String, String, Int?)])
    func sampling(name: String, value: String, extra: Int?) throws {
        // The fake adds steps to the seed: the largest would overflow it.
        let tokens: [UInt8] = [5, 0, 6, 0, 7, 0, 8, 0]
        guard let extra else {
            var options = OptionReader(json: JSONObject([("seed", .integer(.max))]))
            #expect(try DecodeParameters(reading: &options).decode.seed == UInt64(Int64.max))
            return
        }
        let client = try Client()
        let json = try client.post("/v1/decode", json: #"{"tokens":[5,6,7,8],"\#(name)":\#(value)}"#)
        let raw = try client.post("/v1/decode?\(name)=\(value)", "application/octet-stream", tokens)
        #expect(try firstPixel(json.body) == [15, 6, UInt8(extra)])
        #expect(raw.body == json.body)
    }

    @Test func formatStandsForAccept() throws {
        let client = try Client()
        for (format, type) in [("png", "image/png"), ("json", Self.json), ("npy", "application/x-npy")] {
            let response = try client.post("/v1/decode", json: #"{"tokens":[1,2,3,4],"format":"\#(format)"}"#)
            #expect(response.headers.first("Content-Type") == type)
        }
        let several = try client.post("/v1/decode", json: #"{"tokens":[[1,2,3,4],[1,2,3,4]],"format":"png"}"#)
        #expect(several.status == 400)
    }

    @Test func arraysOfPixels() throws {
        let response = try Client().post(
            "/v1/decode", json: #"{"tokens":[[1,2,3,4],[2,3,4,5]]}"#, accept: "application/x-npy")
        #expect(text(response).contains("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 16, 16, 3), }"))
        #expect(response.body.count == 128 + 2 * 16 * 16 * 3)
        #expect(response.body[128..<131] == [3, 2, 0])
        #expect(response.body.suffix(3) == [6, 3, 0])
    }

    @Test(arguments: ["|u1", "|i1", "<u2", ">u2", "<i4", ">i4", "<u8", "<i8", ">i8"])
    func arraysOfAnyIntegers(type: String) throws {
        let size = Int(type.suffix(1)) ?? 0
        let values = [5, 6, 7, 8].flatMap { id -> [UInt8] in
            let bytes = [UInt8(id)] + [UInt8](repeating: 0, count: size - 1)
            return type.hasPrefix(">") ? bytes.reversed() : bytes
        }
        let client = try Client()
        for shape in [[4], [1, 4]] {
            let body = Npy.file(type: type, shape: shape, values: values)
            let response = try client.post("/v1/decode", "application/x-npy", body)
            #expect(try firstPixel(response.body) == [15, 6, 0])
        }
    }

    /// The whole JSON answer is read, with the model and the contract that it names.
    @Test func anEncodingsAnswerIsTaken() throws {
        let client = try Client([("m", .steps), ("b", .books)])
        for (model, contract) in [("m", "aa11"), ("b", "bb22")] {
            let one = try client.post("/v1/encode?model=\(model)&margin=true", "image/png", png(5))
            let picture = try client.post("/v1/decode", Self.json, one.body)
            #expect(picture.status == 200)
            #expect(picture.headers.first("X-Tessera-Contract") == contract)
            #expect(try firstPixel(picture.body) == [15, 5, 0])
            let inputs = [UInt8(3), 1, 2].map { "\"\(base64(png($0)))\"" }.joined(separator: ",")
            let several = try client.post("/v1/encode", json: "{\"model\":\"\(model)\",\"input\":[\(inputs)]}")
            let pictures = try client.post("/v1/decode", Self.json, several.body)
            let lists = #"{"model":"\#(model)","tokens":[[3,3,3,3],[1,1,1,1],[2,2,2,2]]}"#
            #expect(pictures.status == 200)
            #expect(pictures.body == (try client.post("/v1/decode", json: lists).body))
        }
        let global = try client.post("/v1/encode?model=b&id_space=global", "image/png", png(5))
        let body = text(global).dropLast() + #","id_space":"global","format":"json"}"#
        let answer = try JSONValue.parse(try client.post("/v1/decode", json: String(body)).body)
        #expect(answer["data"]?[0]?["b64_json"] != nil)
    }

    @Test func whatEncodeGivesDecodeTakes() throws {
        let client = try Client([("b", .books)])
        for (query, accept) in [
            ("", "application/x-npy"), ("", "application/octet-stream"), ("?id_space=global", "application/x-npy"),
            ("?id_space=global", "application/octet-stream"),
        ] {
            let tokens = try client.post("/v1/encode\(query)", "image/png", png(5), accept: accept)
            let picture = try client.post("/v1/decode\(query)", accept, tokens.body)
            #expect(picture.status == 200)
            #expect(try firstPixel(picture.body) == [15, 5, 0])
        }
        let json = try client.post("/v1/decode", json: #"{"tokens":[5,21,37,53],"id_space":"global"}"#)
        #expect(try firstPixel(json.body) == [15, 5, 0])
    }
}
