import Checkpoint
import JSON
import Testing

private func load(_ text: String, name: String = "model.yaml") throws -> ConfigNode {
    let file = try TemporaryFile(Array(text.utf8), name: name)
    return try withExtendedLifetime(file) { try ConfigNode.load(path: file.path) }
}

private func loadingError(_ text: String, name: String = "model.yaml") throws -> String? {
    let file = try TemporaryFile(Array(text.utf8), name: name)
    return withExtendedLifetime(file) {
        do throws(CheckpointError) {
            _ = try ConfigNode.load(path: file.path)
            return nil
        } catch {
            return message(error, path: file.path)
        }
    }
}

@Suite struct ConfigNodeTests {
    @Test func readsJSONAndYAMLAlike() throws {
        let json = try load(
            #"{"model":{"decoder":{"num_steps":8,"kinds":["a","b"],"on":true,"t":1.5}}}"#, name: "config.json")
        let yaml = try load("model:\n  decoder:\n    num_steps: 8\n    kinds: [a, b]\n    on: true\n    t: 1.5\n")
        #expect(json == yaml)
        let decoder = try #require(yaml["model"]?["decoder"])
        #expect(decoder["num_steps"]?.int == 8 && decoder["t"]?.double == 1.5 && decoder["on"]?.bool == true)
        #expect(decoder["kinds"]?.list?.map(\.string) == ["a", "b"] && decoder["t"]?.list == nil)
        #expect(decoder["none"] == nil && decoder["kinds"]?["x"] == nil)
        #expect(decoder.value.objectValue?.names == ["num_steps", "kinds", "on", "t"])
        #expect(try load("a: [1, 2.0, 2.5]")["a"]?.list?.map(\.int) == [1, 2, nil])
        #expect(
            try load("{\"a\": 1}", name: "config")["a"]?.int == 1
                && load("a: one", name: "config")["a"]?.string == "one")
    }

    @Test(arguments: [
        ("config.json", "[1]", "holds an array; expected an object of settings"),
        ("config.json", "null", "holds null; expected an object of settings"),
        ("config.json", "1.5", "holds a number; expected an object of settings"),
        ("model.yaml", "- a\n- b\n", "holds an array; expected an object of settings"),
        ("model.yaml", "a b", "holds a string; expected an object of settings"), ("config.json", "{}", nil),
        ("model.yaml", "a: 1\n", nil), ("model.yaml", "# nothing\n", nil),
    ])
    func anObjectIsExpected(name: String, text: String, expected: String?) throws {
        let file = try TemporaryFile(Array(text.utf8), name: name)
        var found: String?
        do throws(CheckpointError) {
            #expect(try ConfigNode.loadObject(path: file.path).value.objectValue != nil)
        } catch {
            found = message(error, path: file.path)
        }
        #expect(found == expected)
    }

    static let scalars: [(String, JSONValue)] = [
        ("", nil), ("~", nil), ("null", nil), ("Null", nil), ("true", true), ("FALSE", false), ("yes", "yes"),
        ("off", "off"), ("12", 12), ("-7", -7), ("+3", 3), ("012", 12), ("0o17", 15), ("0xfF", 255), ("1:30", "1:30"),
        ("1_000", "1_000"), ("99999999999999999999", .number(1e20)), ("1.5", 1.5), (".5", 0.5), ("5.", 5.0),
        ("1e-4", 1e-4),
        ("-1.5E+3", -1500.0), (".inf", .number(.infinity)), ("-.INF", .number(-.infinity)), ("1.2.3", "1.2.3"),
        ("e5", "e5"),
        ("1e", "1e"), (".", "."), ("-", [nil]), ("0x", "0x"), ("0o8", "0o8"), ("'12'", "12"), ("\"true\"", "true"),
        ("!!str 12", "12"),
        ("!!int \"12\"", 12), ("!!float 3", 3.0), ("${model.width}", "${model.width}"), ("a b", "a b"),
    ]

    @Test(arguments: scalars)
    func typesScalarsByTheCoreSchema(text: String, expected: JSONValue) throws {
        #expect(try yamlScalar(text) == expected)
    }

    private func yamlScalar(_ text: String) throws -> JSONValue? { try load("key:\n  \(text)\n")["key"]?.value }

    static let refusals: [(String, String, String)] = [
        ("config.json", "{\"a\" 1}", "JSON at byte 5: expected ':' after the name"),
        ("config.json", "{\"a\":1,\"a\":2}", "JSON at byte 7: the name \"a\" is repeated"),
        ("model.yaml", "a: 1\na: 2\n", "YAML"), ("model.yaml", "a: 1\n'a': 2\n", "YAML"),
        ("model.yaml", "a: [1", "YAML"),
        ("model.yaml", "a: \"\\ud800\"", "YAML"),
        ("model.yaml", "[1, 2]: 3", "YAML key that is not a scalar at line 1"),
        (
            "model.yaml", "a: !!python/object:os.system x",
            "tag 'tag:yaml.org,2002:python/object:os.system' is not allowed"
        ),
        ("model.yaml", "a: !mine [1]", "tag '!mine' is not allowed"), ("model.yaml", "a: 1\n---\nb: 2\n", "YAML"),
        ("model.yaml", "a: !!int x", "tag 'tag:yaml.org,2002:int' is not allowed here at line 1"),
        ("model.yaml", "a: *b", "YAML"),
        (
            "model.yaml", String(repeating: "[", count: 70) + String(repeating: "]", count: 70),
            "nested deeper than 64 levels"
        ),
        ("model.yaml", String(repeating: "[", count: 100_000), "YAML"),
        ("model.yaml", String(repeating: "- ", count: 100_000), "YAML"),
        ("model.yaml", String(repeating: "{a: ", count: 100_000), "YAML"),
        ("model.yaml", "a: " + String(repeating: "x", count: 1 << 20), "1048579 bytes; expected at most 1048576"),
        ("model.yaml", "[" + String(repeating: "1,", count: 100_001) + "]", "more than 100000 values"),
        ("model.yaml", "\u{1}", "YAML"),
    ]

    @Test(arguments: refusals)
    func refuses(name: String, text: String, expected: String) throws {
        let error = try #require(try loadingError(text, name: name))
        #expect(error.contains(expected), "\(error)")
    }

    @Test func boundsAliases() throws {
        #expect(try load("a: &x [1, 2]\nb: *x\n")["b"]?.value == [1, 2])
        let bomb = (1...12).map {
            "a\($0): &a\($0) [\(Array(repeating: "*a\($0 - 1)", count: 9).joined(separator: ","))]"
        }
        #expect(try loadingError("a0: &a0 [x]\n" + bomb.joined(separator: "\n")) == "YAML with more than 16 aliases")
        let keys = (1...12).map { "a\($0): &a\($0) {? {k: *a\($0 - 1), l: *a\($0 - 1)} : v}" }
        #expect(try loadingError("a0: &a0 [x]\n" + keys.joined(separator: "\n")) == "YAML with more than 16 aliases")
    }

    @Test func neverTrapsOnDamagedYAML() throws {
        let text = Array("a: &x [1, -2.5e3, 'q', \"\\u00e9\"]\nb:\n  - *x\n  - ? k\n    : !!str v\nc: |\n  t\n".utf8)
        #expect(try load(String(decoding: text, as: UTF8.self))["b"]?.value[0]?[3] == "é")
        for position in text.indices {
            for byte in [0x00, 0x0A, 0x20, 0x21, 0x26, 0x27, 0x2A, 0x2D, 0x3A, 0x3F, 0x5B, 0x5D, 0x7B, 0x80, 0xFF]
                as [UInt8]
            {
                var damaged = text
                damaged[position] = byte
                let other = try TemporaryFile(damaged, name: "model.yaml")
                withExtendedLifetime(other) {
                    do throws(CheckpointError) {
                        _ = try ConfigNode.load(path: other.path)
                    } catch {
                        #expect(error.description.hasPrefix(other.path))
                    }
                }
            }
        }
    }
}
