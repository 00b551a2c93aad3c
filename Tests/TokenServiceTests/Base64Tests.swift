import JSON
import Testing

@testable import TokenFormats
@testable import TokenService

/// Where a request's base64 is wrong, told alike by the module and over HTTP.
@Suite(.timeLimit(.minutes(5))) struct Base64Tests {
    /// The place counts from the start of the whole text, in an input of JSON and of the Open Inference Protocol alike.
    @Test(arguments: [
        ("ab!dx", "base64 at character 2: '!', a character outside the base64 alphabet"),
        ("data:image/png;base64,ab!dx", "base64 at character 24: '!', a character outside the base64 alphabet"),
        ("DATA:;base64,abc", "base64 at character 16: 3 characters, expected a multiple of 4"),
        ("data:imagé/png;base64,ab€", "base64 at character 24: U+20AC, a character outside the base64 alphabet"),
        ("iVBO:w0KGgo", "'iVBO:w0KGgo': no URL is ever fetched; expected base64 or a data: URL"),
        ("iVBO/w0K:Ggo", "base64 at character 8: ':', a character outside the base64 alphabet"),
        ("9VBO:w0K", "base64 at character 4: ':', a character outside the base64 alphabet"),
        (" https://example.org", "base64 at character 0: a space, a character outside the base64 alphabet"),
        (" data:image/png;base64,AAAA", "base64 at character 0: a space, a character outside the base64 alphabet"),
        (
            String(repeating: "QUJD", count: 12) + ":AB",
            "base64 at character 48: ':', a character outside the base64 alphabet"
        ),
        ("AAA=AAA", "base64 at character 3: '=' before the end, expected padding at the end only, one or two of it"),
        (
            "AAAA_AA",
            "base64 at character 4: '_' of the URL-safe alphabet, expected the standard one with '+' and '/' "
                + "(RFC 4648, section 4)"
        ),
        ("AAAA\nAA", "base64 at character 4: a line break, expected none, not at the end either"),
    ])
    func placesCountFromTheStart(text: String, says: String) throws {
        let error = #expect(throws: FormatError.self) { try Base64.image(text) }
        #expect(error?.message == says)
        let client = try Client(), input = JSONValue.string(text)
        let encoded = try client.post("/v1/encode", json: "{\"input\":\(input)}")
        #expect(try TokenServiceTests.error(encoded, "message") == "input: \(says)")
        let tensor = #"{"inputs":[{"name":"image","datatype":"BYTES","shape":[1],"data":[\#(input)]}]}"#
        let answer = try client.post("/v2/models/m-encode/infer", json: tensor)
        #expect(
            answer.status == 400
                && TokenServiceTests.text(answer).contains(JSONValue.string(says).description.dropFirst().dropLast()))
    }
}
