import HTTPWire
import JSON
import Testing

@testable import TokenFormats
@testable import TokenService

private let good = base64(png(5))

/// A request that is refused, and how.
struct Refusal: Sendable, CustomTestStringConvertible {
    var method = "POST"
    var target: String
    var type: String? = "application/json"
    var headers: [(String, String)] = []
    var body: [UInt8] = []
    var status: Int
    var code: String
    var param: String?
    /// Part of the message.
    var says = ""

    var testDescription: String {
        "\(method) \(target) \(String(decoding: body.prefix(60), as: UTF8.self)) \(headers) -> \(status) \(code)"
    }

    static func encode(
        _ json: String, _ status: Int, _ code: String, _ param: String? = nil, says: String = ""
    ) -> Refusal {
        Refusal(target: "/v1/encode", body: Array(json.utf8), status: status, code: code, param: param, says: says)
    }

    static func decode(
        _ json: String, _ status: Int, _ code: String, _ param: String? = nil, says: String = ""
    ) -> Refusal {
        Refusal(target: "/v1/decode", body: Array(json.utf8), status: status, code: code, param: param, says: says)
    }

    static func raw(
        _ target: String, body: [UInt8] = png(5), _ status: Int, _ code: String, _ param: String? = nil,
        type: String = "application/octet-stream", says: String = ""
    ) -> Refusal {
        Refusal(target: target, type: type, body: body, status: status, code: code, param: param, says: says)
    }

    static func head(
        _ headers: [(String, String)], type: String? = "image/png", _ status: Int, _ code: String,
        _ param: String? = nil, says: String = ""
    ) -> Refusal {
        Refusal(
            target: "/v1/encode", type: type, headers: headers, body: png(5), status: status, code: code, param: param,
            says: says)
    }
}

private let routing = [
    Refusal(method: "GET", target: "/", status: 404, code: "not_found", says: "'/'"),
    Refusal(method: "POST", target: "/v1/encode/", status: 404, code: "not_found"),
    Refusal(method: "GET", target: "/v1/models//codebook", status: 404, code: "not_found"),
    Refusal(method: "GET", target: "/v1/encode", status: 405, code: "method_not_allowed", says: "POST, OPTIONS"),
    Refusal(method: "DELETE", target: "/v1/models/m", status: 405, code: "method_not_allowed"),
    Refusal(method: "GET", target: "/v1/models/x", status: 404, code: "model_not_found", param: "model", says: "'m'"),
    Refusal(
        method: "GET", target: "/v1/models/x/codebook", status: 404, code: "model_not_found", param: "model"),
    .head([("Accept", "text/html")], 406, "not_acceptable", "Accept", says: "Accept 'text/html' has nothing"),
    .head([("Accept", "application/json;q=0, image/*")], 406, "not_acceptable", "Accept"),
    .head([("Content-Encoding", "gzip")], 415, "unsupported_encoding", "Content-Encoding"),
    .head([], type: "multipart/mixed; boundary=x", 415, "unsupported_content_type", "Content-Type"),
    .head([], type: "text/plain", 415, "unsupported_content_type", "Content-Type"),
    .head([("X-Request-Timeout-Ms", "soon")], 400, "invalid_timeout", "X-Request-Timeout-Ms"),
    .head([("X-Request-Timeout-Ms", "0")], 400, "invalid_timeout", "X-Request-Timeout-Ms"),
    .head([("X-Request-Timeout-Ms", "-5")], 400, "invalid_timeout", "X-Request-Timeout-Ms"),
    Refusal(
        target: "/v1/decode", type: nil, body: [1], status: 415, code: "unsupported_content_type", param: "Content-Type"
    ),
    Refusal(
        target: "/v1/decode", headers: [("Accept", "image/png")],
        body: Array(#"{"tokens":[[1,2,3,4],[1,2,3,4]]}"#.utf8),
        status: 406, code: "not_acceptable", param: "Accept"),
]

private let encoding: [Refusal] = [
    .encode("{", 400, "invalid_json", says: "at byte 1"),
    .encode("[]", 400, "invalid_json", says: "an array, expected an object"),
    .encode("{}", 400, "missing_member", "input"),
    .encode(#"{"input":7}"#, 400, "invalid_option", "input"),
    .encode(#"{"input":[]}"#, 400, "invalid_option", "input"),
    .encode(#"{"input":["\#(good)",7]}"#, 400, "invalid_option", "input[1]"),
    .encode(#"{"input":"\#(good)","colour":1}"#, 400, "unknown_option", "colour", says: "'assignment'"),
    .encode(#"{"input":"\#(good)","model":"x"}"#, 404, "model_not_found", "model"),
    .encode(#"{"input":"\#(good)","model":1}"#, 400, "invalid_option", "model"),
    .encode(#"{"input":"\#(good)","assignment":"best"}"#, 400, "invalid_option", "assignment", says: "'sinkhorn' or"),
    .encode(#"{"input":"\#(good)","margin":"true"}"#, 400, "invalid_option", "margin"),
    .encode(#"{"input":"\#(good)","id_space":"x"}"#, 400, "invalid_option", "id_space"),
    .encode(
        #"{"input":"abc"}"#, 400, "invalid_base64", "input",
        says: "input: base64 at character 3: 3 characters, expected a multiple of 4"),
    .encode(
        #"{"input":["abc"]}"#, 400, "invalid_base64", "input[0]", says: "input[0]: base64 at character 3"),
    .encode(#"{"input":"abcd\n"}"#, 400, "invalid_base64", "input", says: "base64 at character 4: a line break"),
    .encode(#"{"input":"abcd\r\nabcd\r\n"}"#, 400, "invalid_base64", "input", says: "at character 4: a line break"),
    .encode(#"{"input":"ab!d"}"#, 400, "invalid_base64", "input", says: "at character 2"),
    .encode(#"{"input":"data:image/png;base64,ab!d"}"#, 400, "invalid_base64", "input", says: "at character 24"),
    .encode(#"{"input":"data:image/png,abcd"}"#, 400, "invalid_data_url", "input"),
    .encode(#"{"input":"https://example.org/a.png"}"#, 400, "url_not_fetched", "input"),
    .encode(#"{"input":"file:///etc/passwd"}"#, 400, "url_not_fetched", "input"),
    .encode(#"{"input":""}"#, 415, "unsupported_image", "input"),
    .encode(#"{"input":"R0lGODlh"}"#, 415, "unsupported_image", "input", says: "input: gif"),
    .encode(#"{"input":["R0lGODlh"]}"#, 415, "unsupported_image", "input[0]", says: "input[0]: gif"),
    .encode(
        "{\"input\":[\(repeatElement("\"\"", count: 65).joined(separator: ","))]}", 413, "too_many_images", "input"),
    .raw("/v1/encode", body: [], 400, "empty_body"),
    .raw("/v1/encode", body: [UInt8](repeating: 0, count: (20 << 20) + 1), 413, "body_too_large"),
    .raw("/v1/encode", body: Array("GIF89a".utf8), 415, "unsupported_image"),
    .raw("/v1/encode", body: Array(png(5).dropLast(30)), 422, "undecodable_image", says: "png"),
    .raw("/v1/encode?exif=no", 400, "invalid_option", "exif"),
    .raw("/v1/encode?alpha=red", 400, "invalid_option", "alpha"),
    .raw("/v1/encode?margin=1", 400, "invalid_option", "margin", says: "true or false"),
    .raw("/v1/encode?seed=1", 400, "unknown_option", "seed"),
    .raw("/v1/encode?input=x", 400, "unknown_option", "input"),
    .raw("/v1/encode?exif=apply&exif=apply", 400, "invalid_option", "exif"),
    .raw("/v1/encode?margin=true", body: Array("{}".utf8), 400, "unknown_option", "margin", type: "application/json"),
    Refusal(
        target: "/v1/encode?margin=true", type: "image/png", headers: [("Accept", "application/x-npy")], body: png(5),
        status: 400, code: "invalid_option", param: "margin"),
]

private let decoding: [Refusal] = [
    .decode("{}", 400, "missing_member", "tokens"),
    .decode(#"{"tokens":"1"}"#, 400, "invalid_option", "tokens"),
    .decode(#"{"tokens":[]}"#, 400, "invalid_option", "tokens"),
    .decode(#"{"tokens":[1,2,3]}"#, 422, "token_count", "tokens", says: "found 3 tokens, expected 4"),
    .decode(#"{"tokens":[[]]}"#, 422, "token_count", "tokens"),
    .decode(#"{"tokens":[1,2,16,99]}"#, 422, "token_out_of_range", "tokens", says: "position 2 is 16, expected 0...15"),
    .decode(#"{"tokens":[1,-1,2,3]}"#, 422, "token_out_of_range", "tokens", says: "position 1 is -1"),
    .decode(#"{"tokens":[1,2,3,9223372036854775807]}"#, 422, "token_out_of_range", "tokens", says: "position 3"),
    .decode(
        #"{"tokens":[1,2,3,9223372036854775808]}"#, 422, "token_out_of_range", "tokens",
        says: "position 3 is 9223372036854775807 or more, expected 0...15"),
    .decode(
        #"{"tokens":[-9223372036854775809,2,3,4]}"#, 422, "token_out_of_range", "tokens",
        says: "position 0 is -9223372036854775808 or less"),
    .decode(#"{"tokens":[1,2,3.5,4]}"#, 400, "invalid_option", "tokens[2]", says: "found 3.5"),
    .decode(#"{"tokens":[1,2,[3],4]}"#, 400, "invalid_option", "tokens[2]"),
    .decode(#"{"tokens":[[1,2,3,4],5]}"#, 400, "invalid_option", "tokens[1]"),
    .decode(#"{"data":7}"#, 400, "invalid_option", "data", says: "found a number, expected a list"),
    .decode(#"{"data":[]}"#, 400, "invalid_option", "data", says: "at least one image"),
    .decode(#"{"data":[{"tokens":[1,2,3,4]},{"error":{}}]}"#, 400, "invalid_option", "data[1]", says: "that failed"),
    .decode(#"{"data":[{"tokens":7}]}"#, 400, "invalid_option", "data[0]", says: "an item without them"),
    .decode(#"{"data":[{"tokens":[1,2,3]}]}"#, 422, "token_count", "tokens"),
    .decode(#"{"data":[{"tokens":[1,2,3,4]}],"tokens":[1,2,3,4]}"#, 400, "invalid_option", "tokens", says: "beside"),
    .decode(#"{"data":[{"tokens":[1,2,3,4]}],"contract":"bb22"}"#, 409, "contract_mismatch", "contract"),
    .decode(#"{"data":[{"tokens":[1,2,3,4]}],"margin":true}"#, 400, "unknown_option", "margin"),
    .decode(#"{"tokens":[1,2,3,4],"usage":{}}"#, 400, "unknown_option", "usage"),
    .decode(#"{"tokens":[1,2,3,4],"contract":"bb22"}"#, 409, "contract_mismatch", "contract", says: "'aa11'"),
    .decode(#"{"tokens":[1,2,3,4],"steps":0}"#, 400, "invalid_option", "steps", says: "1...64"),
    .decode(#"{"tokens":[1,2,3,4],"steps":65}"#, 400, "invalid_option", "steps"),
    .decode(#"{"tokens":[1,2,3,4],"steps":2.0}"#, 400, "invalid_option", "steps"),
    .decode(#"{"tokens":[1,2,3,4],"temperature":101}"#, 400, "invalid_option", "temperature"),
    .decode(#"{"tokens":[1,2,3,4],"temperature":-0.5}"#, 400, "invalid_option", "temperature"),
    .decode(#"{"tokens":[1,2,3,4],"seed":-1}"#, 400, "invalid_option", "seed"),
    .decode(#"{"tokens":[1,2,3,4],"format":"gif"}"#, 400, "invalid_option", "format"),
    .decode(#"{"tokens":[1,2,3,4],"margin":true}"#, 400, "unknown_option", "margin"),
    .decode(
        "{\"tokens\":[\(repeatElement("[1,2,3,4]", count: 65).joined(separator: ","))]}", 413, "too_many_images",
        "tokens"),
    .raw("/v1/decode", body: [], 422, "token_count", "tokens"),
    .raw("/v1/decode", body: [1, 0, 2, 0, 3, 0, 4], 422, "token_count", "tokens", says: "a multiple of 8"),
    .raw("/v1/decode", body: [UInt8](repeating: 0, count: 8 * 65), 413, "too_many_images", "tokens"),
    .raw("/v1/decode?steps=x", body: [UInt8](repeating: 0, count: 8), 400, "invalid_option", "steps"),
    .raw("/v1/decode?temperature=nan", body: [UInt8](repeating: 0, count: 8), 400, "invalid_option", "temperature"),
    .raw("/v1/decode?tokens=1", body: [UInt8](repeating: 0, count: 8), 400, "unknown_option", "tokens"),
    .raw("/v1/decode", body: Array("no array".utf8), 400, "invalid_npy", type: "application/x-npy"),
    .raw(
        "/v1/decode", body: Npy.file(type: "<u2", shape: [2, 3], values: [UInt8](repeating: 0, count: 12)), 422,
        "token_count", "tokens", type: "application/x-npy", says: "[2, 3]"),
]

private let reconstruction: [Refusal] = [
    .raw("/v1/reconstruct?margin=true", 400, "unknown_option", "margin"),
    .raw("/v1/reconstruct?id_space=global", 400, "unknown_option", "id_space"),
    .raw("/v1/reconstruct?steps=99", 400, "invalid_option", "steps"),
    .raw("/v1/reconstruct", body: [1, 2, 3], 415, "unsupported_image"),
    Refusal(
        target: "/v1/reconstruct", body: Array(#"{"input":["\#(good)","\#(good)"]}"#.utf8), status: 400,
        code: "invalid_option", param: "input"),
]

@Suite(.timeLimit(.minutes(5))) struct RefusalTests {
    private static let client = try? Client()

    @Test(arguments: routing + encoding + decoding + reconstruction)
    func isRefused(row: Refusal) throws {
        let client = try #require(Self.client)
        let headers = (row.type.map { [("Content-Type", $0)] } ?? []) + row.headers
        let response = try client.send(row.method, row.target, headers, row.body)
        #expect(response.status == row.status)
        #expect(response.headers.first("Content-Type") == "application/json")
        let answer = try JSONValue.parse(response.body)
        #expect(answer.objectValue?.names == ["error"])
        #expect(answer["error"]?.objectValue?.names == ["message", "type", "code", "param", "request_id"])
        #expect(answer["error"]?["code"]?.stringValue == row.code)
        #expect(answer["error"]?["param"]?.stringValue == row.param)
        #expect(answer["error"]?["request_id"]?.stringValue == response.headers.first("X-Request-Id"))
        let message = try #require(answer["error"]?["message"]?.stringValue)
        #expect(!message.isEmpty && (row.says.isEmpty || message.contains(row.says)), "\(message)")
        #expect(response.headers.first("Server-Timing")?.hasPrefix("queue;dur=") == true)
    }

    @Test func optionsThatAModelHasNot() throws {
        let client = try Client([("m", .steps), ("b", .books)])
        let rows = [
            (#"{"tokens":[1,2,3,4],"model":"b","steps":4}"#, "steps"),
            (#"{"tokens":[1,2,3,4],"model":"b","temperature":1}"#, "temperature"),
            (#"{"tokens":[1,2,3,4]}"#, "model"),
        ]
        for (body, param) in rows {
            let response = try client.post("/v1/decode", json: body)
            #expect(response.status == 400)
            #expect(try error(response, "param") == param)
        }
        let assignment = try client.post("/v1/encode?model=b&assignment=sinkhorn", "image/png", png(5))
        #expect(assignment.status == 400)
        #expect(try error(assignment, "param") == "assignment")
        let global = try client.post(
            "/v1/decode", json: #"{"tokens":[5,20,37,64],"model":"b","id_space":"global"}"#)
        #expect(global.status == 422)
        #expect(try error(global, "message") == "the token at position 3 is 64, expected 48...63")
    }

    @Test func aPictureLargerThanTheLimitIsRefusedByItsHeader() throws {
        let client = try Client { $0.limits.image.pixels = 100 }
        let response = try client.post("/v1/encode", "image/png", png(5, width: 11, height: 10))
        #expect(response.status == 413)
        #expect(try error(response, "code") == "too_many_pixels")
        let huge = try client.post("/v1/encode", "image/png", fixture("huge.png"))
        #expect(huge.status == 413)
    }

    @Test func theWiresErrorsHaveTheSameForm() throws {
        let wire = HTTPWireError(status: 431, code: "header_too_large", message: "too much")
        let response = try Client().service.response(to: wire, head: nil, peer: nil)
        #expect(response.status == 431)
        #expect(try error(response, "code") == "header_too_large")
        #expect(try error(response, "request_id") == response.headers.first("X-Request-Id"))
    }
}
