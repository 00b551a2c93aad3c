import HTTPWire
import JSON
import Testing

@testable import TokenService

/// An inference that is refused, and how.
struct RefusedInference: Sendable, CustomTestStringConvertible {
    var model = "m-encode"
    let body: Inference
    var headers: [(String, String)] = []
    let status: Int
    /// Part of the message.
    let says: String

    var testDescription: String { "\(model) \(body.json.prefix(90)) \(headers) -> \(status) \(says)" }

    static func encode(_ body: Inference, _ status: Int, _ says: String) -> RefusedInference {
        RefusedInference(body: body, status: status, says: says)
    }

    static func decode(_ body: Inference, _ status: Int, _ says: String) -> RefusedInference {
        RefusedInference(model: "m-decode", body: body, status: status, says: says)
    }

    static func head(_ headers: [(String, String)], _ body: Inference, _ status: Int, _ says: String)
        -> RefusedInference
    {
        RefusedInference(body: body, headers: headers, status: status, says: says)
    }
}

private let picture = "[\"\(base64(png(5)))\"]"
private let one = #"{"name":"image","datatype":"BYTES","shape":[1],"data":\#(picture)}"#
private let good = Inference("{\"inputs\":[\(one)]}")

private func asked(_ more: String) -> Inference { .input("image", "BYTES", [1], data: picture, "," + more) }
private func ids(_ more: String) -> Inference { .input("tokens", "INT32", [1, 4], data: "[1,2,3,4]", "," + more) }

private let encoding: [RefusedInference] = [
    .encode(Inference("{"), 400, "not JSON"),
    .encode(Inference("{}"), 400, "there is no input, expected 'image'"),
    .encode(Inference(#"{"inputs":[]}"#), 400, "there is no input, expected 'image'"),
    .encode(Inference("{\"inputs\":[\(one),\(one)]}"), 400, "found 2 inputs, expected only 'image'"),
    .encode(.input("picture", "BYTES", [1], data: picture), 400, "found 'picture', expected 'image'"),
    .encode(.input("image", "UINT8", [1], data: "[1]"), 400, "found 'UINT8', expected BYTES"),
    .encode(.input("image", "BYTES", [], data: picture), 400, "found [], expected [n] or [n, 1]"),
    .encode(.input("image", "BYTES", [1, 2], data: picture), 400, "found [1, 2], expected [n] or [n, 1]"),
    .encode(.input("image", "BYTES", [1, 1, 1], data: picture), 400, "expected [n] or [n, 1]"),
    .encode(.input("image", "BYTES", [0], data: "[]"), 400, "at least one image"),
    .encode(.input("image", "BYTES", [65], binary: []), 413, "found 65 images, at most 64"),
    .encode(.input("image", "BYTES", [1], data: #"["ab!d"]"#), 400, "image[0]: base64 at character 2"),
    .encode(.input("image", "BYTES", [1], data: #"["http://localhost/"]"#), 400, "no URL is ever fetched"),
    .encode(.input("image", "BYTES", [1], binary: element([])), 415, "image[0]: an empty picture"),
    .encode(.input("image", "BYTES", [1], binary: element(Array("GIF89a".utf8))), 415, "gif is not read"),
    .encode(.input("image", "BYTES", [1], binary: element(png(5).dropLast(30))), 422, "png"),
    .encode(
        .input("image", "BYTES", [2], binary: element(png(5)) + element(Array("GIF89a".utf8))), 422,
        "image[1]: gif is not read"),
    .encode(
        .input("image", "BYTES", [2], data: #"["\#(base64(png(5)))","%%%%"]"#), 422, "image[1]: base64 at character 0"),
    .encode(.input("image", "BYTES", [1], binary: element(png(5)) + [0]), 400, "left behind the last element"),
    .encode(asked(#""outputs":[{"name":"image"}]"#), 400, "outputs[0]': found 'image', expected 'tokens'"),
    .encode(asked(#""outputs":[{"name":"tokens"},{"name":"tokens"}]"#), 400, "found 2 outputs"),
    .encode(asked(#""parameters":{"assignment":"best"}"#), 400, "expected 'sinkhorn' or 'nearest'"),
    .encode(asked(#""parameters":{"binary_data_output":"true"}"#), 400, "'binary_data_output': found 'true'"),
    .encode(asked(#""parameters":{"seed":1}"#), 400, "'seed' is not an option here; there are: 'binary_data_output'"),
    .encode(asked(#""parameters":{"margin":true}"#), 400, "'margin' is not an option here"),
]

private let decoding: [RefusedInference] = [
    .decode(good, 400, "found 'image', expected 'tokens'"),
    .decode(.input("tokens", "FP32", [1, 4], data: "[1,2,3,4]"), 400, "found 'FP32'"),
    .decode(.input("tokens", "INT32", [4], data: "[1,2,3,4]"), 400, "found [4], expected [n, 4]"),
    .decode(.input("tokens", "INT32", [1, 3], data: "[1,2,3]"), 422, "of shape [1, 3], expected [n, 4]"),
    .decode(.input("tokens", "INT32", [0, 4], data: "[]"), 400, "at least one image"),
    .decode(.input("tokens", "INT32", [65, 4], binary: []), 413, "found 65 images"),
    .decode(.input("tokens", "INT32", [1, 4], data: "[1,2,3]"), 400, "found 3 elements, expected 4"),
    .decode(.input("tokens", "INT64", [1, 4], binary: littleEndian([1, 2, 3, 4], width: 4)), 400, "found 16 bytes"),
    .decode(.input("tokens", "INT32", [1, 4], data: "[1,2,16,4]"), 422, "position 2 is 16, expected 0...15"),
    .decode(
        .input("tokens", "INT32", [1, 4], binary: littleEndian([1, -1, 2, 3], width: 4)), 422, "position 1 is -1"),
    .decode(
        .input("tokens", "UINT64", [1, 4], binary: littleEndian([1, 2, 3, -1], width: 8)), 422,
        "position 3 is 9223372036854775807 or more"),
    .decode(
        .input("tokens", "UINT64", [1, 4], data: "[1,2,3,18446744073709551615]"), 422,
        "position 3 is 9223372036854775807 or more"),
    .decode(.input("tokens", "UINT8", [1, 4], data: "[1,2,256,3]"), 400, "'tokens.data[2]': found 256"),
    .decode(
        .input("tokens", "INT32", [2, 4], data: "[1,2,3,4,1,16,3,4]"), 422, "tokens[1]: the token at position 1 is 16"),
    .decode(ids(#""parameters":{"contract":"bb22"}"#), 409, "contract 'bb22'"),
    .decode(ids(#""parameters":{"steps":65}"#), 400, "'steps': found 65"),
    .decode(ids(#""parameters":{"assignment":"nearest"}"#), 400, "'assignment' is not an option here"),
    .decode(ids(#""outputs":[{"name":"tokens"}]"#), 400, "found 'tokens', expected 'image'"),
]

private let length = "Inference-Header-Content-Length"

private let heads: [RefusedInference] = [
    .head([(length, "")], good, 400, "found '', expected the length of the JSON"),
    .head([(length, "-1")], good, 400, "found '-1'"),
    .head([(length, "+1")], good, 400, "found '+1'"),
    .head([(length, "1.0")], good, 400, "found '1.0'"),
    .head([(length, "ten")], good, 400, "found 'ten'"),
    .head([(length, "99999999999999999999")], good, 400, "found '99999999999999999999'"),
    .head([(length, "1"), (length, "2")], good, 400, "found '1', '2'"),
    .head([(length, "999999999")], good, 400, "found 999999999, the body has"),
    .head([(length, "\(good.body.count + 1)")], good, 400, "the body has \(good.body.count) bytes"),
    .head([(length, "\(good.body.count - 1)")], good, 400, "not JSON"),
    .head([(length, "0")], good, 400, "not JSON"),
    .head([("Accept", "text/html")], good, 406, "Accept 'text/html' has nothing"),
    .head([("Accept", "application/octet-stream")], good, 406, "offered: application/json"),
    .head([("Accept", "application/json")], asked(#""parameters":{"binary_data_output":true}"#), 406, "octet-stream"),
    .head([("Content-Encoding", "gzip")], good, 415, "'gzip' is not read"),
    .head([("X-Request-Timeout-Ms", "0")], good, 400, "X-Request-Timeout-Ms is '0'"),
]

@Suite(.timeLimit(.minutes(5))) struct KServeRefusalTests {
    private static let client = try? Client()

    @Test(arguments: encoding + decoding + heads) func isRefused(row: RefusedInference) throws {
        let client = try #require(Self.client)
        let response = try client.send(
            "POST", "/v2/models/\(row.model)/infer", row.body.fields + row.headers, row.body.body)
        #expect(response.status == row.status)
        #expect(response.headers.first("Content-Type") == "application/json")
        #expect(response.headers.first("X-Request-Id") != nil)
        let message = try #require(try protocolError(response))
        #expect(!message.isEmpty && message.contains(row.says), "\(message)")
    }

    @Test(arguments: [
        ("GET", "/v2/", 404), ("GET", "/v2/models", 404), ("POST", "/v2/repository/index", 404), ("POST", "/v2", 405),
        ("GET", "/v2/models/m", 404), ("GET", "/v2/models/x-encode", 404), ("GET", "/v2/models/m-encode/ready/", 404),
        ("GET", "/v2/models/x-encode/ready", 404), ("GET", "/v2/models/m-encode/versions/2", 404),
        ("GET", "/v2/models/m-encode/versions/1/config", 404), ("GET", "/v2/models/m-encode/versions/2/ready", 404),
        ("POST", "/v2/models/x-encode/infer", 404), ("POST", "/v2/models/m-encode/versions/2/infer", 404),
        ("GET", "/v2/models/m-encode/infer", 405), ("POST", "/v2/health/live", 405),
        ("POST", "/v2/models/m-encode/infer?assignment=nearest", 400),
    ])
    func pathsAreRefused(method: String, target: String, status: Int) throws {
        let response = try #require(Self.client).send(method, target, [], good.body)
        #expect(response.status == status)
        #expect(try protocolError(response)?.isEmpty == false)
        #expect((response.headers.first("Allow") != nil) == (status == 405))
    }

    @Test func otherContentTypesAreRefused() throws {
        let client = try #require(Self.client)
        let response = try client.post("/v2/models/m-encode/infer", "application/x-www-form-urlencoded", good.body)
        #expect(response.status == 415)
        #expect(try protocolError(response)?.contains("expected one of application/json") == true)
        for type in ["application/json", "application/json; charset=utf-8", "application/octet-stream", nil] {
            #expect(try client.post("/v2/models/m-encode/infer", type, good.body).status == 200)
        }
    }
}
