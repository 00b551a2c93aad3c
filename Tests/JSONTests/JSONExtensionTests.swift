import JSON
import Testing

/// What is read beyond RFC 8259's grammar, where that is asked for.
struct JSONExtensionTests {
    private func parse(_ text: [UInt8], _ extensions: JSONExtensions) throws(JSONError) -> JSONValue {
        try JSONValue.parse(text, extensions: extensions)
    }

    @Test(arguments: ["{}", " [1]", "\n\"a\"", "1", "null", "\"\u{FEFF}\""])
    func aByteOrderMarkIsSkipped(text: String) throws {
        let text = Array(text.utf8), mark = ByteOrderMark.utf8.bytes
        #expect(try parse(mark + text, .byteOrderMark) == JSONValue.parse(text))
        #expect(try parse(text, .byteOrderMark) == JSONValue.parse(text))
        for extensions in [[], JSONExtensions.nonFiniteNumbers] {
            let error = #expect(throws: JSONError.self) { try parse(mark + text, extensions) }
            #expect(error == JSONError(offset: 0, message: "expected a value, found byte 0xEF"))
        }
        for wrong in [mark + mark + text, [0x20] + mark + text, mark.dropLast() + text, text + mark] {
            #expect(throws: JSONError.self) { try parse(Array(wrong), .byteOrderMark) }
        }
    }

    @Test(
        arguments: [
            ([0xFF, 0xFE, 0x7B, 0, 0x7D, 0], "UTF-16LE (FF FE)"), ([0xFE, 0xFF, 0, 0x7B, 0, 0x7D], "UTF-16BE (FE FF)"),
            ([0xFF, 0xFE, 0, 0, 0x31, 0, 0, 0], "UTF-32LE (FF FE 00 00)"), ([0xFF, 0xFE], "UTF-16LE (FF FE)"),
            ([0, 0, 0xFE, 0xFF, 0, 0, 0, 0x31], "UTF-32BE (00 00 FE FF)"), ([0xFE, 0xFF], "UTF-16BE (FE FF)"),
        ] as [([UInt8], String)])
    func anotherEncodingIsNamed(text: [UInt8], encoding: String) {
        for extensions in [[], JSONExtensions.byteOrderMark] {
            let error = #expect(throws: JSONError.self) { try parse(text, extensions) }
            #expect(error?.offset == 0)
            #expect(error?.message == "the text begins with the byte order mark of \(encoding), expected UTF-8")
        }
    }

    @Test(arguments: ["NaN", "Infinity", "-Infinity", "1e999", "-1e999", "[NaN]", #"{"a":-Infinity}"#])
    func numbersThatAreNotFiniteAreAskedFor(text: String) throws {
        let text = Array(text.utf8)
        #expect(throws: JSONError.self) { try JSONValue.parse(text) }
        #expect(throws: JSONError.self) { try parse(text, .byteOrderMark) }
        let value = try parse(text, .nonFiniteNumbers)
        let number = try #require((value[0] ?? value["a"] ?? value).doubleValue)
        #expect(!number.isFinite && number.isNaN == text.contains(UInt8(ascii: "N")))
        #expect(number.isNaN || (number < 0) == text.contains(UInt8(ascii: "-")))
    }

    @Test(arguments: [
        "nan", "-NaN", "+Infinity", "Inf", "inf", "NaNs", "Infinit", "- Infinity", "--Infinity", "-I", "N",
    ])
    func otherWordsAreNone(text: String) {
        #expect(throws: JSONError.self) { try parse(Array(text.utf8), [.nonFiniteNumbers, .byteOrderMark]) }
    }
}
