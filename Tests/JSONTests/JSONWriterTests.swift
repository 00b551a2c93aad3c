import JSON
import Testing

@Suite struct JSONWriterTests {
    static let written: [(JSONValue, String)] = [
        (nil, "null"), (true, "true"), (-5, "-5"), (1.0, "1.0"), (0.1, "0.1"), (1e300, "1e+300"),
        (.number(.leastNonzeroMagnitude), "5e-324"), (.number(.infinity), "null"), (.number(.nan), "null"),
        ("a\"\\/\n\u{1}\u{1F}\u{7F}é😀", "\"a\\\"\\\\/\\n\\u0001\\u001f\u{7F}é😀\""),
        ("\u{8}\u{C}\r\t", #""\b\f\r\t""#), ([], "[]"), ([:], "{}"),
        (["b": [1, 2.5], "a": ["c": nil]], #"{"b":[1,2.5],"a":{"c":null}}"#),
    ]

    @Test(arguments: written)
    func writes(value: JSONValue, text: String) {
        #expect(value.description == text)
        #expect(value.write() == Array(text.utf8))
    }

    @Test func givesBackEveryDouble() throws {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<2000 {
            let value = Double(bitPattern: generator.next())
            guard value.isFinite else { continue }
            #expect(try JSONValue.parse(JSONValue(value).write()).doubleValue == value)
        }
        #expect(JSONValue(Float(0.1)).description == "0.1")
        #expect(try JSONValue.parse(JSONValue(Float.leastNonzeroMagnitude).write()).doubleValue == 1e-45)
    }

    @Test func buildsAndReadsValues() {
        let ids: [Int32] = [1, 2, -3]
        let value: JSONValue = ["ids": JSONValue(ids), "name": "m-\(ids.count)", "margins": JSONValue([Float(0.5)])]
        #expect(value.description == #"{"ids":[1,2,-3],"name":"m-3","margins":[0.5]}"#)
        #expect(value["ids"]?[2]?.intValue == -3)
        #expect(value["ids"]?[3] == nil && value["ids"]?[-1] == nil && value["none"] == nil && value[0] == nil)
        #expect(value["name"]?.stringValue == "m-3" && value["name"]?.intValue == nil)
        #expect(JSONValue.number(2).intValue == nil && JSONValue.integer(2).doubleValue == 2)
        #expect(JSONValue(UInt64.max) == .number(18446744073709551616))
        #expect(
            JSONValue.null.isNull && JSONValue(true).boolValue == true
                && JSONValue(["a"] as [String]).arrayValue == ["a"])
        #expect(value.kind == "an object" && JSONValue(0..<2).kind == "an array")
    }
}
