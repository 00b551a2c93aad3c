import Checkpoint
import Foundation
import JSON
import Testing

/// Configurations as Python's `json` and PyYAML read their bytes.
struct ConfigTextTests {
    /// A configuration of `Fixtures/texts.json`.
    struct Sample: Sendable, CustomTestStringConvertible {
        let name: String
        let bytes: [UInt8]
        /// What Python reads, infinities and NaN as texts; `nil`: nothing.
        let value: JSONValue?
        /// UTF-16 or UTF-32, which Python reads and we don't.
        let encoding: String?

        init?(_ row: JSONValue) {
            guard let name = row["name"]?.stringValue, let text = row["bytes"]?.stringValue,
                let data = Data(base64Encoded: text)
            else { return nil }
            (self.name, bytes, value) = (name, [UInt8](data), row["value"])
            encoding = row["encoding"]?.stringValue
        }

        var testDescription: String { "\(name): \(String(decoding: bytes, as: UTF8.self).debugDescription)" }
    }

    static let samples: [Sample] = {
        let rows = (try? fixture("texts.json")).flatMap { try? JSONValue.parse($0) }?.arrayValue ?? []
        return rows.compactMap(Sample.init)
    }()

    @Test func thereAreSamples() {
        #expect(Self.samples.count == 110 && Self.samples.count { $0.encoding != nil } == 56)
        #expect(Self.samples.count { $0.bytes.starts(with: ByteOrderMark.utf8.bytes) && $0.value != nil } >= 15)
        #expect(Self.samples.count { $0.value == nil && $0.encoding == nil } >= 10)
    }

    @Test(arguments: samples) func readsWhatPythonReads(_ sample: Sample) throws {
        let file = try TemporaryFile(sample.bytes, name: sample.name)
        try withExtendedLifetime(file) {
            if let value = sample.value, sample.encoding == nil {
                #expect(plain(try ConfigNode.load(path: file.path).value) == value)
                return
            }
            let error = try #require(throws: CheckpointError.self) { try ConfigNode.load(path: file.path) }
            guard let encoding = sample.encoding else { return }
            #expect(
                message(error, path: file.path)
                    == "the text begins with the byte order mark of \(encoding), expected UTF-8")
        }
    }

    /// With a text for every number that JSON lacks, as the fixture has it.
    private func plain(_ value: JSONValue) -> JSONValue {
        switch value {
        case .number(let number) where !number.isFinite: .string("float \(number)")
        case .array(let elements): .array(elements.map(plain))
        case .object(let object): .object(JSONObject(object.members.map { ($0.name, plain($0.value)) }))
        default: value
        }
    }

    /// The place of an error is that in the file.
    @Test func placesCountTheMark() throws {
        let file = try TemporaryFile(ByteOrderMark.utf8.bytes + Array("{\"a\" 1}".utf8), name: "config.json")
        let error = #expect(throws: CheckpointError.self) { try ConfigNode.load(path: file.path) }
        #expect(error?.description.contains("JSON at byte 8: expected ':' after the name") == true)
    }

    @Test(arguments: [
        ("config.json", "[1]", "holds an array; expected an object of settings"),
        ("config.json", "1", "holds a number; expected an object of settings"),
        ("config.json", "null", "holds null; expected an object of settings"),
        ("config.json", "\"model\"", "holds a string; expected an object of settings"),
        ("config.json", "NaN", "holds a number; expected an object of settings"),
        ("model.yaml", "[1]", "holds an array; expected an object of settings"),
        ("model.yaml", "model", "holds a string; expected an object of settings"),
        ("model.yaml", "- a: 1", "holds an array; expected an object of settings"),
        ("model.yml", "true", "holds a boolean; expected an object of settings"),
    ])
    func refusesWhatHasNoNames(name: String, text: String, expected: String) throws {
        let file = try TemporaryFile(Array(text.utf8), name: name)
        let error = try #require(throws: CheckpointError.self) { try ConfigNode.load(path: file.path) }
        #expect(message(error, path: file.path) == expected)
    }

    @Test(arguments: ["\n", "# nothing\n", "---\n", "~", "\u{FEFF}", "\u{FEFF}# nothing\n"])
    func emptyYAMLSaysNothing(text: String) throws {
        let file = try TemporaryFile(Array(text.utf8), name: "model.yaml")
        #expect(try ConfigNode.load(path: file.path).isNull)
    }

    /// Members, and what is said of those that are read.
    @Test(
        arguments: [
            (#"{"a": {"b": Infinity}}"#, ["a.b"], "a.b is Infinity, expected a finite number"),
            (#"{"a": {"b": -Infinity}}"#, ["x", "a.b"], "a.b is -Infinity, expected a finite number"),
            (#"{"a": NaN}"#, ["a"], "a is NaN, expected a finite number"),
            (#"{"a": 1e999}"#, ["a"], "a is Infinity, expected a finite number"),
            (#"{"a": [1, 2, NaN]}"#, ["a"], "a[2] is NaN, expected a finite number"),
            (#"{"a": {"b": [Infinity]}}"#, ["a.b"], "a.b[0] is Infinity, expected a finite number"),
            (#"{"a": {"b": Infinity}}"#, ["a.c", "b", "a", "a.b.c"], nil),
            (#"{"a": [1, {"b": NaN}], "c": Infinity, "d": 5}"#, ["a", "d"], nil), ("{}", ["a", "a.b"], nil),
        ] as [(String, [String], String?)])
    func membersThatAreReadAreFinite(text: String, members: [String], expected: String?) throws {
        let file = try TemporaryFile(Array(text.utf8), name: "config.json")
        let node = try ConfigNode.load(path: file.path)
        guard let expected else { return try node.requireFinite(members, in: file.path) }
        let error = try #require(throws: CheckpointError.self) { try node.requireFinite(members, in: file.path) }
        #expect(message(error, path: file.path) == expected)
    }
}
