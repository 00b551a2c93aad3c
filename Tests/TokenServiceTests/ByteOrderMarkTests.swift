import JSON
import Testing
import TokenizerCore

@testable import TokenFormats
@testable import TokenService

/// A byte order mark before the JSON of a body or a file of tokens.
@Suite(.timeLimit(.minutes(5))) struct ByteOrderMarkTests {
    private static let json = "application/json"
    private static let mark = ByteOrderMark.utf8.bytes

    @Test(arguments: [
        #"{"tokens":[1,2,3,4]}"#, " {\"tokens\":[[1,2,3,4]],\"format\":\"png\"}\r\n", "[1,2,3,4]", "[[1,2,3,4]]",
        #"{"data":[{"tokens":[1,2,3,4]}]}"#,
    ])
    func ofATokenFileIsSkipped(text: String) throws {
        for mark in [[], Self.mark] {
            let lists = try TokenFile.read(
                mark + Array(text.utf8), contract: .steps, parameters: DecodeParameters(), limits: ServiceLimits())
            #expect(lists == [[1, 2, 3, 4]])
        }
    }

    @Test func ofABodyIsSkipped() throws {
        let client = try Client()
        let encode = Array(#"{"input":"\#(base64(png(5)))"}"#.utf8), decode = Array(#"{"tokens":[1,2,3,4]}"#.utf8)
        let tensor =
            #"{"inputs":[{"name":"tokens","datatype":"INT32","shape":[1,4],"data":[1,2,3,4]}]}"#
        for (target, body) in [
            ("/v1/encode", encode), ("/v1/decode", decode), ("/v1/reconstruct", encode),
            ("/v2/models/m-decode/infer", Array(tensor.utf8)),
            ("/v2/models/m-decode/versions/1/infer", Array(tensor.utf8)),
        ] {
            let plain = try client.post(target, Self.json, body)
            #expect(plain.status == 200, "\(text(plain))")
            #expect(try client.post(target, Self.json, Self.mark + body).body == plain.body, "\(target)")
            #expect(try client.post(target, Self.json, Self.mark + Self.mark + body).status == 400)
        }
        // Behind a length of the JSON, which counts the mark.
        let binary = Array(
            #"{"inputs":[{"name":"tokens","datatype":"UINT8","shape":[1,4],"parameters":{"binary_data_size":4}}]}"#.utf8
        )
        let fields = [("Content-Type", Self.json), ("Inference-Header-Content-Length", "\(3 + binary.count)")]
        let answer = try client.send("POST", "/v2/models/m-decode/infer", fields, Self.mark + binary + [1, 2, 3, 4])
        #expect(answer.status == 200, "\(text(answer))")
    }

    @Test(
        arguments: [
            ([0xFF, 0xFE, 0x7B, 0, 0x7D, 0], "UTF-16LE (FF FE)"), ([0xFE, 0xFF, 0, 0x7B, 0, 0x7D], "UTF-16BE (FE FF)"),
            ([0xFF, 0xFE, 0, 0, 0x7B, 0, 0, 0], "UTF-32LE (FF FE 00 00)"), ([0xFF, 0xFE], "UTF-16LE (FF FE)"),
            ([0, 0, 0xFE, 0xFF, 0, 0, 0, 0x7B], "UTF-32BE (00 00 FE FF)"),
        ] as [([UInt8], String)])
    func ofAnotherEncodingIsNamed(body: [UInt8], encoding: String) throws {
        let says = "at byte 0: the text begins with the byte order mark of \(encoding), expected UTF-8"
        let client = try Client()
        for target in ["/v1/encode", "/v1/decode", "/v2/models/m-decode/infer"] {
            let answer = try client.post(target, Self.json, body)
            #expect(answer.status == 400 && text(answer).contains(says), "\(text(answer))")
        }
        let refused = #expect(throws: FormatError.self) {
            try TokenFile.read(body, contract: .steps, parameters: DecodeParameters(), limits: ServiceLimits())
        }
        #expect(refused?.message.contains(says) == true)
    }

    /// RFC 8259 has no such numbers, and a request has no member that isn't read.
    @Test(arguments: ["NaN", "Infinity", "-Infinity", "1e999"]) func numbersStayFinite(number: String) throws {
        let client = try Client()
        for body in [#"{"tokens":[1,2,3,\#(number)]}"#, #"{"tokens":[1,2,3,4],"temperature":\#(number)}"#] {
            let answer = try client.post("/v1/decode", json: body)
            #expect(answer.status == 400)
            #expect(try error(answer, "code") == "invalid_json")
        }
    }

    /// A number in a query is a number, without a mark.
    @Test func aQueryHasNone() throws {
        let answer = try Client().post(
            "/v1/decode?temperature=%EF%BB%BF1", "application/octet-stream", [1, 0, 2, 0, 3, 0, 4, 0])
        #expect(answer.status == 400)
        #expect(try error(answer, "param") == "temperature")
    }
}
