import HTTPWire
import JSON
import Testing
import TokenizerCore

@testable import TokenFormats
@testable import TokenService

@Suite(.timeLimit(.minutes(5))) struct EncodeTests {
    private static let answer5 = """
        {"object":"list","model":"m","data":[{"object":"image.tokens","index":0,"tokens":[5,5,5,5],"shape":[4],\
        "source":{"width":16,"height":16,"format":"png"}}],"contract":"aa11","usage":{"images":1,"tokens":4}}
        """

    @Test(arguments: ["image/png", "image/jpeg", "application/octet-stream", "IMAGE/PNG; x=y", nil])
    func rawBodies(type: String?) throws {
        let response = try Client().post("/v1/encode", type, png(5))
        #expect(response.status == 200)
        #expect(text(response) == Self.answer5)
        #expect(response.headers.first("Content-Type") == "application/json")
        #expect(response.headers.first("X-Tessera-Contract") == "aa11")
    }

    @Test(arguments: ["", "data:image/png;base64,", "DATA:;base64,"])
    func jsonBodies(prefix: String) throws {
        let input = prefix + base64(png(5))
        for body in [
            #"{"input":"\#(input)"}"#, #"{"input":["\#(input)"],"model":"m"}"#, #"{"model":null,"input":"\#(input)"}"#,
        ] {
            let response = try Client().post("/v1/encode", json: body)
            #expect(response.status == 200)
            #expect(text(response) == Self.answer5)
        }
    }

    @Test func severalImages() throws {
        let inputs = [UInt8(1), 2, 3].map { "\"\(base64(png($0)))\"" }.joined(separator: ",")
        let response = try Client().post("/v1/encode", json: "{\"input\":[\(inputs)]}")
        let answer = try JSONValue.parse(response.body)
        let tokens = answer["data"]?.arrayValue?.map { $0["tokens"]?[0]?.intValue }
        #expect(tokens == [1, 2, 3])
        #expect(answer["data"]?.arrayValue?.map { $0["index"]?.intValue } == [0, 1, 2])
        #expect(answer["usage"] == ["images": 3, "tokens": 12])
    }

    @Test func aBadPictureAmongSeveralHarmsNoOther() throws {
        let inputs = [base64(png(1)), base64(Array("GIF89a".utf8)), "%%%%", base64(png(2).dropLast(30))]
        let list = inputs.map { "\"\($0)\"" }.joined(separator: ",")
        let client = try Client()
        let response = try client.post("/v1/encode", json: "{\"input\":[\(list)]}")
        #expect(response.status == 200)
        let answer = try JSONValue.parse(response.body)
        #expect(answer["data"]?[0]?["tokens"] == [1, 1, 1, 1])
        let errors = (1...3).map { answer["data"]?[$0]?["error"] }
        #expect(
            errors.map { $0?["code"]?.stringValue } == ["unsupported_image", "invalid_base64", "undecodable_image"])
        #expect(errors.map { $0?["param"]?.stringValue } == ["input[1]", "input[2]", "input[3]"])
        #expect(answer["data"]?[1]?.objectValue?.names == ["object", "index", "error"])
        #expect(answer["usage"] == ["images": 1, "tokens": 4])
        let whole = try client.post("/v1/encode", json: "{\"input\":[\(list)]}", accept: "application/x-npy")
        #expect(whole.status == 422)
        #expect(try error(whole, "param") == "input[1]")
    }

    struct Options: Sendable, CustomTestStringConvertible {
        var query: String
        var tokens: JSONValue
        var json: String
        var file = "grey 5"

        var testDescription: String { query }
    }

    static let options = [
        Options(query: "assignment=sinkhorn", tokens: [5, 5, 5, 5], json: #""assignment":"sinkhorn""#),
        Options(query: "assignment=nearest", tokens: [6, 6, 6, 6], json: #""assignment":"nearest""#),
        Options(query: "id_space=local", tokens: [5, 5, 5, 5], json: #""id_space":"local""#),
        Options(query: "id_space=global&model=m", tokens: [5, 5, 5, 5], json: #""id_space":"global","model":"m""#),
        Options(
            query: "id_space=global&model=b", tokens: [5, 21, 37, 53], json: #""id_space":"global","model":"b""#),
    ]

    @Test(arguments: options) func optionsChangeTokens(row: Options) throws {
        let client = try Client([("m", .steps), ("b", .books)])
        let query = row.query.contains("model") ? row.query : row.query + "&model=m"
        let members = row.json.contains("model") ? row.json : row.json + #","model":"m""#
        let raw = try client.post("/v1/encode?\(query)", "image/png", png(5))
        let json = try client.post("/v1/encode", json: "{\"input\":\"\(base64(png(5)))\",\(members)}")
        for response in [raw, json] {
            #expect(response.status == 200)
            #expect(try JSONValue.parse(response.body)["data"]?[0]?["tokens"] == row.tokens)
        }
    }

    @Test func marginsStandBesideTokens() throws {
        let response = try Client().post("/v1/encode?margin=true", "image/png", png(5))
        let item = try JSONValue.parse(response.body)["data"]?[0]
        #expect(item?.objectValue?.names == ["object", "index", "tokens", "shape", "margin", "source"])
        #expect(item?["margin"]?.description == "[0.5,0.1,2.0,1e-08]")
    }

    @Test func pictureOptionsReachTheDecoder() throws {
        let client = try Client()
        func tokens(_ file: String, _ query: String) throws -> JSONValue {
            let response = try client.post("/v1/encode?\(query)", "image/png", fixture(file))
            return try #require(try JSONValue.parse(response.body)["data"]?[0]?["tokens"])
        }
        #expect(try tokens("exif-6.jpg", "exif=apply") != tokens("exif-6.jpg", "exif=ignore"))
        #expect(try tokens("exif-6.jpg", "exif=apply") == tokens("exif-6.jpg", "alpha=white"))
        #expect(try tokens("rgba8.png", "alpha=white") != tokens("rgba8.png", "alpha=black"))
        #expect(try tokens("rgba8.png", "alpha=drop") != tokens("rgba8.png", "alpha=black"))
    }

    @Test func theSourceIsTheStoredPicture() throws {
        let response = try Client().post("/v1/encode", "image/png", fixture("exif-6.jpg"))
        #expect(
            try JSONValue.parse(response.body)["data"]?[0]?["source"] == ["width": 61, "height": 43, "format": "jpeg"])
    }

    @Test func arraysAndOctets() throws {
        let client = try Client([("m", .steps), ("b", .books)])
        let header = "{'descr': '<u2', 'fortran_order': False, 'shape': (1, 4), }"
        let array = try client.post("/v1/encode?model=m", "image/png", png(5), accept: "application/x-npy")
        let padded = header + String(repeating: " ", count: 117 - header.utf8.count) + "\n"
        let values: [UInt8] = [5, 0, 5, 0, 5, 0, 5, 0]
        #expect(array.body == [0x93] + Array("NUMPY".utf8) + [1, 0, 118, 0] + Array(padded.utf8) + values)
        #expect(array.headers.first("Content-Type") == "application/x-npy")
        let octets = try client.post("/v1/encode?model=m", "image/png", png(5), accept: "application/octet-stream")
        #expect(octets.body == values)
        #expect(octets.headers.first("X-Tessera-Contract") == "aa11")
        let global = try client.post(
            "/v1/encode?model=b&id_space=global", "image/png", png(5), accept: "application/octet-stream")
        #expect(global.body == [5, 0, 0, 0, 21, 0, 0, 0, 37, 0, 0, 0, 53, 0, 0, 0])
        #expect(global.headers.first("X-Tessera-Contract") == "bb22")
    }

    @Test func idsOfALargeCodebookTakeFourBytes() {
        func contract(_ size: Int) -> TokenContract {
            .make("", perPosition: false, [.nearest], steps: nil, temperature: nil, codebookSize: size)
        }
        #expect(ResponseJSON.idBytes(contract(65_536), .local) == 2)
        #expect(ResponseJSON.idBytes(contract(65_537), .local) == 4)
        #expect(ResponseJSON.idBytes(.steps, .local) == 2)
        #expect(ResponseJSON.idBytes(.steps, .global) == 4)
    }
}
