import JSON
import Testing

@testable import TokenService

/// Base64 as Python's `b64decode(validate=True)` reads it (RFC 4648, section 4); what it refuses is told by character.
@Suite(.timeLimit(.minutes(1))) struct Base64Tests {
    @Test func thereAreTexts() {
        #expect(TextFixtures.base64.count { $0.bytes != nil } > 40)
        #expect(TextFixtures.base64.count { $0.place != nil } > 300)
        #expect(TextFixtures.base64.count { $0.bytes == nil && $0.place == nil } >= 5)
    }

    @Test(arguments: TextFixtures.base64)
    func theFirstWrongCharacterIsTold(_ sample: TextFixtures.Base64Text) throws {
        if let bytes = sample.bytes {
            #expect(try Base64.decode(sample.text.utf8) == bytes)
            return
        }
        let failure = try #require(throws: Base64.Failure.self) { try Base64.decode(sample.text.utf8) }
        guard let place = sample.place, let character = sample.character else {
            let count = sample.text.utf8.count
            #expect(failure.offset == count && failure.message == "\(count) characters, expected a multiple of 4")
            return
        }
        #expect(failure.offset == place)
        let named =
            switch character {
            case "\n", "\r": "a line break"
            case " ": "a space"
            case "\u{21}"..."\u{7E}": "'\(character)'"
            default:
                "U+" + (0..<4).map { String(character.value >> (12 - 4 * $0) & 15, radix: 16).uppercased() }.joined()
            }
        #expect(failure.message.hasPrefix(character.value > 0xFFFF ? "U+1F600," : named), "\(failure.message)")
    }

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
        let error = #expect(throws: ServiceError.self) { try Base64.picture(text) }
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

    /// Bytes that no text has: a form's, for one.
    @Test(arguments: [0x80, 0xC3, 0xFF] as [UInt8]) func aByteIsNamed(byte: UInt8) {
        let text = Array("QUJD".utf8) + [byte] + Array("QUJD".utf8)
        let failure = #expect(throws: Base64.Failure.self) { try Base64.decode(text) }
        let digits = String(byte, radix: 16).uppercased()
        #expect(failure?.offset == 4 && failure?.message.hasPrefix("byte 0x\(digits), ") == true)
    }
}
