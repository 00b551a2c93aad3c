import JSON
import Testing

private func parse(_ text: String, maxDepth: Int = 64) throws -> JSONValue {
    try JSONValue.parse(Array(text.utf8), maxDepth: maxDepth)
}

@Suite struct JSONParserTests {
    static let accepted: [(String, JSONValue)] = [
        ("null", JSONValue.null), (" true\r\n", true), ("\tfalse ", false), ("0", 0), ("-0", 0), ("17", 17),
        ("-9223372036854775808", .integer(.min)), ("9223372036854775807", .integer(.max)),
        ("9223372036854775808", .number(9223372036854775808)), ("99999999999999999999", .number(1e20)),
        ("999999999999999999", 999_999_999_999_999_999), ("1.5", 1.5), ("1.0", 1.0), ("-1e-2", -0.01),
        ("2E+3", 2000.0), ("0.1", 0.1), ("1e-400", 0.0), (#""""#, ""), (#""a/é😀""#, "a/é😀"),
        (#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{C}\n\r\t"), (#""\u00e9\uD83D\ude00\u0000""#, "é😀\u{0}"),
        (#""ab\u0041é""#, "abAé"), ("[]", []), ("[ 1 , [ ] , {} ]", [1, [], [:]]), ("{}", [:]),
        (#"{ "b" : 1 , "a" : [ null ] }"#, ["b": 1, "a": [nil]]),
    ]

    @Test(arguments: accepted)
    func accepts(text: String, expected: JSONValue) throws {
        #expect(try parse(text) == expected)
    }

    static let refused: [(String, Int, String)] = [
        ("", 0, "expected a value, found the end of the text"),
        ("  ", 2, "expected a value, found the end of the text"),
        ("nul", 3, "expected 'null', found the end of the text"), ("True", 0, "expected a value, found 'T'"),
        ("1 2", 2, "expected the end of the text, found '2'"), ("{} \u{0}", 3, "found byte 0x00"),
        ("01", 0, "zero"), ("-012", 1, "zero"), ("-", 1, "a digit"), ("+1", 0, "a value"), (".5", 0, "a value"),
        ("1.", 2, "a digit"), ("1.e2", 2, "a digit"), ("1e", 2, "a digit"), ("1e+", 3, "a digit"),
        ("0x10", 1, "the end of the text"), ("NaN", 0, "a value"), ("Infinity", 0, "a value"),
        ("1e999", 0, "beyond the range"), ("[1,]", 3, "a value"), ("[,1]", 1, "a value"), ("[1 2]", 3, "',' or ']'"),
        ("[1", 2, "',' or ']'"), ("[", 1, "a value"), ("]", 0, "a value"), ("{", 1, "a name in quotes"),
        (#"{"a" 1}"#, 5, "expected ':' after the name, found '1'"), (#"{"a":}"#, 5, "a value"),
        (#"{"a":1,}"#, 7, "a name in quotes"), ("{a:1}", 1, "a name in quotes"), (#"{"a":1 "b":2}"#, 7, "',' or '}'"),
        (#"{"a":1,"a":2}"#, 7, #"the name "a" is repeated"#), (#"{"a":1,"\u0061":2}"#, 7, "repeated"),
        (#""abc"#, 4, "'\"' at the end of the string"), (#""a\"#, 3, "after the backslash"),
        (#""\x""#, 2, "after the backslash"), ("\"a\nb\"", 2, "control character"),
        ("\"01234567\u{1F}\"", 9, "control character"), (#""\u12g4""#, 5, "hexadecimal"), (#""\u12"#, 5, "hexadecimal"),
        (#""\ud83d""#, 1, "surrogate"), (#""\ude00""#, 1, "surrogate"), (#""\ud83d\n""#, 1, "surrogate"),
        (#""\ud83dx""#, 1, "surrogate"), (#""\ud83d\u0041""#, 1, "surrogate"), ("\u{FEFF}1", 0, "found byte 0xEF"),
        ("'a'", 0, "a value"), ("/*c*/1", 0, "a value"),
    ]

    @Test(arguments: refused)
    func refuses(text: String, offset: Int, message: String) {
        let error = #expect(throws: JSONError.self) { try parse(text) }
        #expect(error?.offset == offset)
        #expect(error?.description.hasPrefix("at byte \(offset): ") == true)
        #expect(error?.message.contains(message) == true, "\(error?.message ?? "")")
    }

    static let invalidUTF8: [([UInt8], Int)] = [
        ([0xFF], 0), ([0xC3], 0), ([0x61, 0xC0, 0x80], 1), ([0xED, 0xA0, 0x80], 0), ([0xF4, 0x90, 0x80, 0x80], 0),
        ([0x61, 0x80], 1), ([0xC3, 0xA9, 0xE2, 0x82], 2),
    ]

    @Test(arguments: invalidUTF8)
    func refusesInvalidUTF8(bytes: [UInt8], offset: Int) {
        for suffix in ["\"", "\\n\""] {
            let error = #expect(throws: JSONError.self) { try JSONValue.parse([0x22] + bytes + Array(suffix.utf8)) }
            #expect(error == JSONError(offset: offset + 1, message: "invalid UTF-8"))
        }
    }

    @Test func capsDepthAndValues() throws {
        let deep = { String(repeating: "[", count: $0) + String(repeating: "]", count: $0) }
        #expect(try parse(deep(64)) != .null)
        let error = #expect(throws: JSONError.self) { try parse(deep(65)) }
        #expect(error == JSONError(offset: 64, message: "nested deeper than 64 levels"))
        #expect(throws: JSONError.self) { try parse(String(repeating: #"{"a":["#, count: 100_000)) }
        #expect(try parse(#"[{"a":[1]},[2]]"#, maxDepth: 3)[0]?["a"] == [1])
        #expect(throws: JSONError.self) { try JSONValue.parse(Array("[1,2,3]".utf8), maxValues: 3) }
        #expect(try JSONValue.parse(Array("[1,2,3]".utf8), maxValues: 4) == [1, 2, 3])
    }

    @Test func capsTheLengthOfANumber() throws {
        #expect(try parse("0." + String(repeating: "1", count: 1022)).doubleValue == 0.1111111111111111)
        #expect(throws: JSONError.self) { try parse("0." + String(repeating: "1", count: 1023)) }
        #expect(throws: JSONError.self) { try parse(String(repeating: "1", count: 400)) }
    }

    @Test func findsTheEndOfAStringAtEveryAlignment() throws {
        for length in 0..<40 {
            let plain = String((0..<length).map { Character(UnicodeScalar(UInt8(0x61 + $0 % 26))) })
            #expect(try parse("\"\(plain)\"") == .string(plain))
            #expect(try parse("\"\(plain)\\n\(plain)\"") == .string("\(plain)\n\(plain)"))
            #expect(try parse("[\"\(plain)é\", 1]")[0] == .string("\(plain)é"))
            let error = #expect(throws: JSONError.self) { try parse("\"\(plain)\u{1}\(plain)\"") }
            #expect(error?.offset == length + 1)
        }
    }

    @Test func looksUpMembersOfLargeObjects() throws {
        let text = "{" + (0..<1000).map { "\"k\($0)\":\($0)" }.joined(separator: ",") + "}"
        var value = try #require(try parse(text).objectValue)
        #expect(value.count == 1000 && value["k777"] == 777 && value["none"] == nil)
        #expect(value.names.prefix(3) == ["k0", "k1", "k2"])
        value["k3"] = nil
        value["k4"] = "four"
        value["new"] = true
        #expect(value.count == 1000 && value["k3"] == nil && value["k4"] == "four" && value["k999"] == 999)
        #expect(value.members.last == JSONObject.Member(name: "new", value: true))
        #expect(throws: JSONError.self) { try parse(text.dropLast() + ",\"k5\":0}") }
    }

    @Test func neverTrapsOnDamagedText() {
        let text = Array(#"{"a":[1,-2.5e+3,"x\u00e9\ud83d\ude00\\y",true,null],"é":{"b":[[],{}]}}"#.utf8)
        for length in 0..<text.count {
            #expect(throws: JSONError.self) { try JSONValue.parse(Array(text[..<length])) }
        }
        for position in text.indices {
            for byte in UInt8.min...UInt8.max {
                var damaged = text
                damaged[position] = byte
                if let value = try? JSONValue.parse(damaged) {
                    #expect((try? JSONValue.parse(value.write())) == value)
                }
            }
        }
    }
}
