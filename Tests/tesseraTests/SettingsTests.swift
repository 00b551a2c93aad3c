import ArgumentParser
import Foundation
import JSON
import Logging
import Testing

@testable import tessera

/// Settings by flag, environment, file and default.
struct SettingsTests {
    @Test(
        arguments: [
            (nil, 2, 8, 1), (nil, 16, 8, 2), (nil, 128, 8, 8), (nil, 128, 32, 16), (3, 2, 8, 2), (4, 64, 2, 2),
            (1, 64, 8, 1),
        ] as [(Int?, Int, Int, Int)])
    func imagesAtOnce(given: Int?, threads: Int, maxBatch: Int, expected: Int) {
        var settings = ServeSettings()
        (settings.imagesAtOnce, settings.maxBatch) = (given, maxBatch)
        #expect(settings.imagesSideBySide(threads: threads) == expected)
    }

    /// For each setting values that its flag, its variable and the file's value give, and a value that none may have.
    struct Sample: Sendable {
        let name: String
        let flags: [String]
        let variable: String
        let file: String
        /// The values read from the three.
        let read: (flag: [String], variable: [String], file: [String])
        var bad: String?

        /// Plain values.
        init(_ name: String, _ flag: String, _ variable: String, _ file: String, bad: String? = nil) {
            self.name = name
            self.bad = bad
            (flags, self.variable, self.file) = (["--\(name)", flag], variable, file)
            read = ([flag], [variable], [file])
        }

        init(
            list name: String, _ flag: [String], _ variable: (String, [String]), _ file: (String, [String]),
            bad: String? = nil
        ) {
            self.name = name
            self.bad = bad
            (flags, self.variable, self.file) = (flag.flatMap { ["--\(name)", $0] }, variable.0, file.0)
            read = (flag, variable.1, file.1)
        }

        init(bool name: String) {
            self.name = name
            bad = "yes"
            (flags, variable, file) = (["--\(name)"], "true", "true")
            read = (["true"], ["true"], ["true"])
        }
    }

    static let samples: [Sample] = [
        Sample(
            list: "listen", ["[::1]:1", "127.0.0.1:2"], ("unix:/a;127.0.0.1:4", ["unix:/a", "127.0.0.1:4"]),
            ("[\"127.0.0.1:5\", 'unix:/b']", ["127.0.0.1:5", "unix:/b"]), bad: "nowhere"),
        Sample(
            list: "model", ["a=x,vae=v", "y"],
            ("b=z,vae=w,preprocessor=p\n\n c=q ;", ["b=z,vae=w,preprocessor=p", "c=q"]),
            ("d=r,vae=s", ["d=r,vae=s"]), bad: "a="),
        Sample("vae", "/a", "/b", "/c d"),
        Sample("preprocessor", "/a", "/b", "/c"),
        Sample("precision", "bf16", "fp32", "bf16", bad: "fp16"),
        Sample("threads", "1", "2", "1024", bad: "1025"),
        Sample("images-at-once", "1", "2", "256", bad: "257"),
        Sample("max-batch", "1", "2", "1024", bad: "0"),
        Sample("max-delay-ms", "0", "1", "60000", bad: "-1"),
        Sample("queued-images", "1", "2", "3", bad: "1e3"),
        Sample("longest-wait", "1", "0", "3", bad: "-1"),
        Sample("images-per-request", "1", "2", "3", bad: "x"),
        Sample("request-timeout", "1", "2", "3", bad: "1.5"),
        Sample("connections", "1", "2", "3", bad: "99999999999999999999"),
        Sample("header-timeout", "1", "2", "3", bad: "0"),
        Sample("idle-timeout", "1", "2", "3", bad: "0"),
        Sample("drain-delay", "1", "2", "3", bad: "3601"),
        Sample("grace", "1", "2", "3", bad: "3601"),
        Sample("api-key-file", "/a", "/b", "/c"),
        Sample(bool: "metrics-auth"),
        Sample(
            list: "cors-origin", ["https://a.org", "http://b.org:3000"], ("https://c.org", ["https://c.org"]),
            ("[]", []), bad: "*"),
        Sample("log-format", "json", "text", "json", bad: "xml"),
        Sample("log-level", "debug", "error", "trace", bad: "loud"),
        Sample("access-log", "off", "on", "all", bad: "sometimes"),
    ]

    private func resolve(
        _ arguments: [String] = [], _ environment: [String: String] = [:], _ file: String? = nil
    ) throws -> ResolvedSettings {
        try ResolvedSettings(
            flags: ServeOptions.parse(arguments), environment: environment,
            file: file.map { try SettingsFile($0, path: "t.yaml") })
    }

    private func message(_ body: () throws -> Void) -> String {
        do { try body() } catch { return "\(error)" }
        return "no error"
    }

    @Test func everySettingIsInTheTableOnce() {
        #expect(Self.samples.map(\.name) == Setting.all.map(\.name))
        #expect(Set(Setting.all.map(\.variable)).count == Setting.all.count)
        let help = Serve.helpMessage(columns: 10_000)
        for setting in Setting.all {
            #expect(help.contains("--\(setting.name)") && help.contains(setting.variable), "\(setting.name)")
        }
    }

    @Test(arguments: samples) func theFirstThatGivesItCounts(_ sample: Sample) throws {
        let setting = try #require(Setting.all.first { $0.name == sample.name })
        let variable = [setting.variable: sample.variable]
        let file = "\(sample.name): \(sample.file)\n"
        func value(_ resolved: ResolvedSettings) -> [String] { setting.read(resolved.settings) ?? [] }
        #expect(try value(resolve(sample.flags, variable, file)) == sample.read.flag)
        #expect(try resolve(sample.flags, variable, file).sources == [sample.name: .flag])
        #expect(try value(resolve([], variable, file)) == sample.read.variable)
        #expect(try resolve([], variable, file).sources == [sample.name: .environment(setting.variable)])
        #expect(try value(resolve([], [:], file)) == sample.read.file)
        #expect(try resolve([], [:], file).sources == [sample.name: .file])
        // An empty variable is none.
        #expect(try resolve([], [setting.variable: ""]).settings == ServeSettings())
        #expect(try resolve([], [setting.variable: ""]).sources.isEmpty)
    }

    @Test(arguments: samples.filter { $0.bad != nil }) func badValuesAreNamed(_ sample: Sample) throws {
        let bad = sample.bad ?? "", setting = try #require(Setting.all.first { $0.name == sample.name })
        let flags = sample.name == "metrics-auth" ? nil : ["--\(sample.name)=\(bad)"]
        if let flags {
            let told = message { _ = try resolve(flags) }
            #expect(told.hasPrefix("--\(sample.name): ") && told.contains(bad), "\(told)")
        }
        let told = message { _ = try resolve([], [setting.variable: bad]) }
        #expect(told.hasPrefix("\(setting.variable): ") && told.contains(bad), "\(told)")
        let read = message { _ = try resolve([], [:], "# first\n\(sample.name): '\(bad)'\n") }
        #expect(read.hasPrefix("t.yaml, line 2: \(sample.name): "), "\(read)")
    }

    /// Kubernetes and our own tools put these there.
    @Test func otherVariablesAreIgnored() throws {
        let names = ["PORT", "SERVICE_HOST", "SERVICE_PORT", "PORT_8080_TCP", "TOOLS", "ARGS", "CPUS", "MODELS", "X"]
        let environment = Dictionary(uniqueKeysWithValues: names.map { ("TESSERA_\($0)", "tcp://10.0.0.1:8080") })
        let resolved = try resolve([], environment)
        #expect(resolved.settings == ServeSettings() && resolved.sources.isEmpty)
    }

    @Test(arguments: [
        ("grace: 1\nmax-bach: 2", "t.yaml, line 2: max-bach: there is no such setting; expected one of listen, model,"),
        ("grace: [1]", "t.yaml, line 1: grace: found a list, expected one value"),
        ("grace: {a: 1}", "t.yaml, line 1: grace: found a mapping, expected one value"),
        ("listen: {a: 1}", "t.yaml, line 1: listen: found a mapping, expected one value"),
        ("listen: [[a]]", "t.yaml, line 1: listen: found a list, expected one value"),
        ("listen: []", "t.yaml, line 1: listen: found an empty list, expected at least one"),
        ("\ngrace: '1'", "t.yaml, line 2: grace: found a text in quotes, expected an integer"),
        ("metrics-auth: 'true'", "t.yaml, line 1: metrics-auth: found a text in quotes, expected true or false"),
        ("grace:", "t.yaml, line 1: grace: found nothing, expected a value"),
        ("vae: ~", "t.yaml, line 1: vae: found nothing, expected a value"),
        ("vae: ''", "t.yaml, line 1: vae: found nothing, expected a path"),
        ("grace: 1\ngrace: 2", "t.yaml, line 1: grace given more than once"),
        ("- grace", "t.yaml, line 1: expected NAME: VALUE on each line"),
        ("grace", "t.yaml, line 1: expected NAME: VALUE on each line"),
        ("grace: [1", "t.yaml, line "),
        ("a: 1\n---\nb: 2", "t.yaml, line 2: expected a single document in the stream, but found another document"),
    ])
    func badFilesAreNamed(text: String, expected: String) {
        let told = message { _ = try resolve([], [:], text) }
        #expect(told.hasPrefix(expected), "\(told)")
    }

    @Test(arguments: ["", "# nothing\n", "---\n", "{}"]) func emptyFilesGiveNoSetting(text: String) throws {
        #expect(try resolve([], [:], text).sources.isEmpty)
    }

    @Test func printedSettingsReadBackEqual() throws {
        let awkward = ["--vae", "/a b\"c\\d: #e\n\u{1}é", "--model", "m=f,vae=g", "--no-metrics-auth"]
        for arguments in [[], Self.samples.flatMap(\.flags), awkward] {
            let resolved = try resolve(arguments)
            let text = resolved.yaml(file: "/x\ny.yaml", secrets: ["TESSERA_API_KEYS"])
            #expect(try resolve([], [:], text).settings == resolved.settings)
        }
        let text = try resolve(
            ["--max-batch", "4"], ["TESSERA_GRACE": "5", "TESSERA_MODEL": "a=b"], "connections: 6"
        ).yaml(secrets: ["TESSERA_API_KEYS"])
        let lines = text.split(separator: "\n")
        for line in [
            "max-batch: 4  # flag", "grace: 5  # environment TESSERA_GRACE", "connections: 6  # file",
            "model: [\"a=b\"]  # environment TESSERA_MODEL", "max-delay-ms: 0  # default",
            "# threads: not set: the processors this process may use  # default",
            "# TESSERA_API_KEYS: set, not shown  # environment TESSERA_API_KEYS",
        ] {
            #expect(lines.contains { $0 == line }, "\(line)")
        }
    }
}

/// API keys as text.
struct KeyFileTests {
    static let key = "0123456789abcdef"

    @Test func linesAreKeys() throws {
        let text = "# ours\n\n\(Self.key)\r\n  \(Self.key)x\t\n#\(Self.key)\n"
        #expect(try KeyFile.parse(text, from: "k") == [Self.key, Self.key + "x"])
        #expect(try KeyFile.parse(list: "\(Self.key), \(Self.key)y") == [Self.key, Self.key + "y"])
        #expect(try KeyFile.keys(file: nil, environment: [:]) == nil)
        #expect(try KeyFile.keys(file: nil, environment: ["TESSERA_API_KEYS": ""]) == nil)
        #expect(try KeyFile.keys(file: nil, environment: ["TESSERA_API_KEYS": Self.key]) == [Self.key])
    }

    @Test(arguments: [
        ("", "k: there is no key in it; expected one a line"),
        ("# x\n", "k: there is no key in it; expected one a line"),
        ("\nshort-secret", "k, line 2: the key has 12 characters, expected 16 to 512"),
        ("\(key)\n\(key) secret", "k, line 2: the key has a space or another character than visible ASCII ones"),
        ("secret-ü-\(key)", "k, line 1: the key has a space or another character than visible ASCII ones"),
        (String(repeating: "secret", count: 100), "k, line 1: the key has 600 characters, expected 16 to 512"),
    ])
    func badKeysAreNamedByLine(text: String, expected: String) {
        let error = #expect(throws: CommandFailure.self) { try KeyFile.parse(text, from: "k") }
        #expect(error?.description == expected)
    }

    @Test(arguments: [",", "\(key),", "short"]) func badListsAreNamedByPlace(text: String) {
        let error = #expect(throws: CommandFailure.self) { try KeyFile.parse(list: text) }
        #expect(error?.description.hasPrefix("TESSERA_API_KEYS, key ") == true)
    }
}
