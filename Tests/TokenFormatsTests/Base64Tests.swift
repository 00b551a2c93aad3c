import JSON
import Testing

@testable import TokenFormats

/// Base64 as Python's `b64decode(validate=True)` reads it (RFC 4648, section 4); what it refuses is told by character.
@Suite(.timeLimit(.minutes(5))) struct Base64Tests {
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

    /// Bytes that no text has: a form's, for one.
    @Test(arguments: [0x80, 0xC3, 0xFF] as [UInt8]) func aByteIsNamed(byte: UInt8) {
        let text = Array("QUJD".utf8) + [byte] + Array("QUJD".utf8)
        let failure = #expect(throws: Base64.Failure.self) { try Base64.decode(text) }
        let digits = String(byte, radix: 16).uppercased()
        #expect(failure?.offset == 4 && failure?.message.hasPrefix("byte 0x\(digits), ") == true)
    }
}
