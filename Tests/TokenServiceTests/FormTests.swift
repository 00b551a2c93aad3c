import HTTPWire
import JSON
import Testing
import TokenizerCore

@testable import TokenService

/// A body of multipart/form-data in the making.
private struct Form {
    static let type = "multipart/form-data; boundary=b0undary"

    var bytes: [UInt8] = []

    /// The body with its last boundary.
    var whole: [UInt8] { bytes + Array("--b0undary--\r\n".utf8) }

    func field(_ name: String, _ value: String) -> Form {
        part("Content-Disposition: form-data; name=\"\(name)\"\r\n", Array(value.utf8))
    }

    func fields(_ pairs: [(String, String)]) -> Form { pairs.reduce(self) { $0.field($1.0, $1.1) } }

    func file(_ content: [UInt8], _ type: String? = "image/png", name: String = "file") -> Form {
        let type = type.map { "Content-Type: \($0)\r\n" } ?? ""
        return part("Content-Disposition: form-data; name=\"\(name)\"; filename=\"x.png\"\r\n" + type, content)
    }

    func part(_ header: String, _ content: [UInt8]) -> Form {
        Form(bytes: bytes + Array("--b0undary\r\n\(header)\r\n".utf8) + content + Array("\r\n".utf8))
    }
}

extension Client {
    fileprivate func post(_ target: String, _ form: Form, accept: String? = nil) throws -> HTTPResponse {
        try post(target, Form.type, form.whole, accept: accept)
    }
}

@Suite(.timeLimit(.minutes(5))) struct FormTests {
    @Test(arguments: ["image/png", "image/jpeg", "application/octet-stream", "IMAGE/PNG; x=y", nil])
    func oneFileIsAsARawBody(type: String?) throws {
        let client = try Client()
        let raw = try client.post("/v1/encode", "image/png", png(5))
        let form = try client.post("/v1/encode", Form().file(png(5), type))
        #expect(form.status == 200)
        #expect(form.body == raw.body)
        #expect(form.headers.first("X-Tessera-Contract") == "aa11")
    }

    @Test func severalFilesInTheirOrder() throws {
        let form = Form().file(png(1)).file(png(2), nil).file(png(3))
        let response = try Client().post("/v1/encode", form)
        let answer = try JSONValue.parse(response.body)
        #expect(answer["data"]?.arrayValue?.map { $0["tokens"]?[0]?.intValue } == [1, 2, 3])
        #expect(answer["data"]?.arrayValue?.map { $0["index"]?.intValue } == [0, 1, 2])
        #expect(answer["usage"] == ["images": 3, "tokens": 12])
    }

    @Test func aBadPictureAmongSeveralHarmsNoOther() throws {
        let client = try Client { $0.limits.image.fileBytes = 200 }
        let form = Form().file(png(1)).file(Array("GIF89a".utf8)).file(png(2), "image/gif").file(png(3).dropLast(30))
            .file([]).file([UInt8](repeating: 0, count: 201)).file(png(4))
        let response = try client.post("/v1/encode", form)
        #expect(response.status == 200)
        let answer = try JSONValue.parse(response.body)
        #expect(answer["data"]?[0]?["tokens"] == [1, 1, 1, 1])
        #expect(answer["data"]?[6]?["tokens"] == [4, 4, 4, 4])
        let errors = (1...5).map { answer["data"]?[$0]?["error"] }
        #expect(
            errors.map { $0?["code"]?.stringValue } == [
                "unsupported_image", "unsupported_content_type", "undecodable_image", "unsupported_image",
                "image_too_large",
            ])
        #expect(errors.map { $0?["param"]?.stringValue } == (1...5).map { "file[\($0)]" })
        #expect(answer["usage"] == ["images": 2, "tokens": 8])
        let array = try client.post("/v1/encode", form, accept: "application/x-npy")
        #expect(array.status == 422)
        #expect(try error(array, "param") == "file[1]")
    }

    /// Each option before, behind and between the files.
    @Test(arguments: EncodeTests.options) func fieldsAreOptions(row: EncodeTests.Options) throws {
        let client = try Client([("m", .steps), ("b", .books)])
        var options = Client.head("POST", "/?\(row.query)", []).query.map { ($0.name, $0.value) }
        if !row.query.contains("model") { options.append(("model", "m")) }
        let first = Array(options.prefix(1))
        let rest = Array(options.dropFirst())
        for form in [
            Form().fields(options).file(png(5)), Form().file(png(5)).fields(options),
            Form().fields(first).file(png(5)).fields(rest),
        ] {
            let response = try client.post("/v1/encode", form)
            #expect(response.status == 200)
            #expect(try JSONValue.parse(response.body)["data"]?[0]?["tokens"] == row.tokens)
        }
    }

    @Test func allOptionsAtOnce() throws {
        let client = try Client()
        let options = [("margin", "true"), ("exif", "ignore"), ("alpha", "drop"), ("assignment", "nearest")]
        let query = options.map { "\($0)=\($1)" }.joined(separator: "&")
        for file in ["exif-6.jpg", "rgba8.png"] {
            let picture = try fixture(file)
            let raw = try client.post("/v1/encode?\(query)", "application/octet-stream", picture)
            let form = try client.post("/v1/encode", Form().file(picture, nil).fields(options))
            #expect(form.status == 200)
            #expect(form.body == raw.body)
            #expect(try JSONValue.parse(form.body)["data"]?[0]?["margin"]?.arrayValue?.count == 4)
        }
    }

    @Test func reconstruction() throws {
        let client = try Client()
        let raw = try client.post("/v1/reconstruct?steps=4&seed=7", "image/png", png(5))
        let form = try client.post("/v1/reconstruct", Form().field("seed", "7").file(png(5)).field("steps", "4"))
        #expect(form.status == 200)
        #expect(form.body == raw.body)
        #expect(form.headers.first("X-Tessera-PSNR") == raw.headers.first("X-Tessera-PSNR"))
    }

    @Test func imagesAreCountedNotRequests() throws {
        let client = try Client { $0.limits.queuedImages = 3 }
        client.gate.close()
        let first = client.start("POST", "/v1/encode", [("Content-Type", Form.type)], Form().file(png(1)).whole)
        try #require(client.gate.awaitArrival())
        #expect(client.service.admission.images == 1)
        let three = Form().file(png(1)).file(png(2)).file(png(3))
        let refused = try client.post("/v1/encode", three)
        #expect(refused.status == 429)
        #expect(client.service.admission.images == 1)
        client.gate.open()
        #expect(try first.get().status == 200)
        #expect(try client.post("/v1/encode", three).status == 200)
        #expect(try client.post("/v1/encode", Form().field("margin", "x")).status == 400)
        #expect(client.service.admission.images == 0)
    }

    @Test func limitsOfTheWhole() throws {
        let client = try Client {
            $0.limits.imagesPerRequest = 2
            $0.limits.bodyBytes = 10_000
        }
        func files(_ count: Int) -> Form { (0..<count).reduce(Form()) { form, _ in form.file(png(1)) } }
        #expect(try client.post("/v1/encode", files(2)).status == 200)
        let three = try client.post("/v1/encode", files(3))
        #expect(three.status == 413)
        #expect(try error(three, "message") == "'file': found 3 images, at most 2 are taken at once")
        let parts = try client.post("/v1/encode", Form().fields((0...66).map { ("\($0)", "") }))
        #expect(parts.status == 413)
        #expect(try error(parts, "code") == "too_many_parts")
        let bytes = try client.post("/v1/encode", Form().file([UInt8](repeating: 0, count: 10_000)))
        #expect(bytes.status == 413)
        #expect(try error(bytes, "code") == "body_too_large")
    }

    // MARK: - Clients

    struct Upload: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let boundary: String
        /// With `@` where the picture is, and CRLF as line ends.
        let lines: String
    }

    static let uploads = [
        Upload(
            testDescription: "curl -F file=@a.png -F margin=true", boundary: "------------------------680a82402cdf2f6c",
            lines: """
                --------------------------680a82402cdf2f6c
                Content-Disposition: form-data; name="file"; filename="a.png"
                Content-Type: image/png

                @
                --------------------------680a82402cdf2f6c
                Content-Disposition: form-data; name="margin"

                true
                --------------------------680a82402cdf2f6c--

                """),
        Upload(
            testDescription: "requests.post(url, files=…, data=…)", boundary: "f3e3bd09dfe5aa3a70914fef25f318a4",
            lines: """
                --f3e3bd09dfe5aa3a70914fef25f318a4
                Content-Disposition: form-data; name="margin"

                true
                --f3e3bd09dfe5aa3a70914fef25f318a4
                Content-Disposition: form-data; name="file"; filename="a.png"

                @
                --f3e3bd09dfe5aa3a70914fef25f318a4--

                """),
        Upload(
            testDescription: "aiohttp", boundary: "18f2e99dd9cb45bd9004b6ff67be09be",
            lines: """
                --18f2e99dd9cb45bd9004b6ff67be09be
                Content-Type: image/png
                Content-Disposition: form-data; name="file"; filename="a%20b.png"

                @
                --18f2e99dd9cb45bd9004b6ff67be09be
                Content-Type: text/plain; charset=utf-8
                Content-Disposition: form-data; name="margin"

                true
                --18f2e99dd9cb45bd9004b6ff67be09be--

                """),
        Upload(
            testDescription: "a form in Chromium", boundary: "----WebKitFormBoundary7MA4YWxkTrZu0gW",
            lines: """
                ------WebKitFormBoundary7MA4YWxkTrZu0gW
                Content-Disposition: form-data; name="margin"

                true
                ------WebKitFormBoundary7MA4YWxkTrZu0gW
                Content-Disposition: form-data; name="file"; filename="a%22 (1).png"
                Content-Type: image/png

                @
                ------WebKitFormBoundary7MA4YWxkTrZu0gW--

                """),
    ]

    @Test(arguments: uploads) func clientsForms(upload: Upload) throws {
        let client = try Client()
        let raw = try client.post("/v1/encode?margin=true", "image/png", png(5))
        let halves = upload.lines.split(separator: "@").map { half in
            Array(half.split(separator: "\n", omittingEmptySubsequences: false).joined(separator: "\r\n").utf8)
        }
        try #require(halves.count == 2)
        let type = "multipart/form-data; boundary=\(upload.boundary)"
        let form = try client.post("/v1/encode", type, halves[0] + png(5) + halves[1])
        #expect(form.status == 200)
        #expect(form.body == raw.body)
    }

    // MARK: - Refusals

    fileprivate static func refuses(
        _ form: Form, _ status: Int, _ code: String, _ param: String? = nil, says: String = "",
        target: String = "/v1/encode"
    ) -> Refusal {
        Refusal(
            target: target, type: Form.type, body: form.whole, status: status, code: code, param: param, says: says)
    }

    fileprivate static func malformed(
        _ text: String, says: String, type: String = Form.type, status: Int = 400, code: String = "invalid_multipart"
    ) -> Refusal {
        Refusal(target: "/v1/encode", type: type, body: Array(text.utf8), status: status, code: code, says: says)
    }

    private static let picture = Form().file(png(5))

    static let refusals = [
        refuses(Form(), 400, "missing_file", "file", says: "no part of the form is named 'file'"),
        refuses(Form().field("margin", "true"), 400, "missing_file", "file"),
        refuses(Form().file(png(5), name: "image"), 400, "unknown_option", "image", says: "'file'"),
        refuses(
            Form().file([UInt8](repeating: 0xFF, count: 100_000), name: "picture"), 400, "unknown_option", "picture"),
        refuses(picture.field("colour", "1"), 400, "unknown_option", "colour", says: "'assignment'"),
        refuses(picture.field("", "1"), 400, "unknown_option", "", says: "''"),
        refuses(picture.field("seed", "1"), 400, "unknown_option", "seed"),
        refuses(picture.field("input", "1"), 400, "unknown_option", "input"),
        refuses(picture, 400, "unknown_option", "margin", says: "in the query", target: "/v1/encode?margin=true"),
        refuses(
            picture.field("exif", "apply").field("exif", "apply"), 400, "invalid_option", "exif", says: "more than"),
        refuses(picture.field("margin", "1"), 400, "invalid_option", "margin", says: "true or false"),
        refuses(picture.field("margin", " true"), 400, "invalid_option", "margin", says: "found ' true'"),
        refuses(picture.field("exif", ""), 400, "invalid_option", "exif", says: "found ''"),
        refuses(
            picture.field("alpha", "white" + String(repeating: " ", count: 2000)), 400, "invalid_option", "alpha"),
        refuses(
            picture.part("Content-Disposition: form-data; name=\"alpha\"\r\n", [0xFF, 0xFE]), 400, "invalid_option",
            "alpha"),
        refuses(picture.field("model", "x"), 404, "model_not_found", "model"),
        refuses(picture.file(png(1), name: "model"), 404, "model_not_found", "model"),
        refuses(Form().file(Array("GIF89a".utf8)), 415, "unsupported_image", "file", says: "file: gif"),
        refuses(Form().file(png(5), "image/webp"), 415, "unsupported_content_type", "file", says: "or none"),
        refuses(Form().file(png(5), "multipart/mixed; boundary=c"), 415, "unsupported_content_type", "file"),
        refuses(Form().file(png(5).dropLast(30)), 422, "undecodable_image", "file"),
        refuses(Form().field("file", "x"), 415, "unsupported_image", "file"),
        refuses(Form().file([]), 415, "unsupported_image", "file", says: "0 bytes"),
        refuses(
            picture.part(
                "Content-Disposition: form-data; name=\"file\"\r\nContent-Transfer-Encoding: base64\r\n",
                Array(base64(png(5)).utf8)), 415, "unsupported_encoding", says: "part 2, at byte"),
        refuses(
            (0..<65).reduce(Form()) { form, _ in form.file([]) }, 413, "too_many_images", "file", says: "65 images"),
        refuses((0..<200).reduce(Form()) { form, _ in form.file([]) }, 413, "too_many_parts", says: "more than 128"),
        refuses(
            picture.field("seed", String(repeating: "0", count: 1024) + "x"), 400, "invalid_option", "seed",
            target: "/v1/reconstruct"),
        refuses(picture.file(png(5)), 400, "invalid_option", "file", says: "2 pictures", target: "/v1/reconstruct"),
        refuses(Form().field("seed", "1"), 400, "missing_file", "file", target: "/v1/reconstruct"),
        refuses(picture.field("margin", "true"), 400, "unknown_option", "margin", target: "/v1/reconstruct"),
        refuses(picture, 415, "unsupported_content_type", "Content-Type", target: "/v1/decode"),
        malformed("", says: "before the first part, at byte 0"),
        malformed("{}", says: "no line of the body begins with the boundary --b0undary"),
        malformed("--b0undary\r\n\r\nx\r\n--b0undary--", says: "part 1, at byte 13: there is no Content-Disposition"),
        malformed("--b0undary\nContent-Disposition: form-data; name=file\n\nx", says: "expected CRLF"),
        malformed(
            "--b0undary\r\nContent-Disposition: form-data; name=file\r\n\r\nx\r\n", says: "without the final boundary"),
        malformed("--b0undary--", says: "has no boundary=", type: "multipart/form-data"),
        malformed(
            "--b0undary--", says: "expected 1 to 70",
            type: "multipart/form-data; boundary=\(String(repeating: "x", count: 71))"),
    ]

    @Test(arguments: refusals) func isRefused(row: Refusal) throws { try RefusalTests().isRefused(row: row) }
}
