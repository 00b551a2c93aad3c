import Checkpoint
import Foundation
import JSON
import Testing

@testable import Models

/// Each tensor of tiny models left out, under another name, one longer and transposed: what is said of it, beside what
/// PyTorch's `load_state_dict(strict=True)` says (`Fixtures/make_strict.py`).
///
/// PyTorch is given all shapes by the module; here they follow from the other tensors, and from the configuration where
/// it says something. What neither can tell is listed.
@Suite struct StrictTests {
    static let models = [
        "sftok", "revq", "revq-identity", "preprocessor", "dcae", "dcae-shuffle", "dcae-mixed", "dcae-first",
    ]

    struct Change {
        let tensor: String
        let what: String
        var shapes: [String: [Int]]
        /// PyTorch's: "m" missing, "u" unexpected, "s" size mismatch, "" none.
        let verdict: String
        /// The line without the path.
        let expected: String
    }

    @Test(arguments: models)
    func everyChangeIsToldInOneLine(name: String) throws {
        let model = try Model(name)
        #expect(try model.problems(model.shapes, isSilent: false) == [], "unchanged")
        for change in model.changes {
            let lines = try model.problems(change.shapes, isSilent: false)
            let label = "\(name): \(change.tensor) \(change.what): \(lines)"
            guard !change.verdict.isEmpty else {
                #expect(lines == [], "\(label)")
                continue
            }
            #expect(lines.count == 1, "\(label)")
            let line = lines.first ?? ""
            #expect(line.contains("'\(change.tensor)'"), "\(label)")
            #expect(
                line.hasSuffix(change.expected) || Self.isClaim(line, change), "\(label); expected \(change.expected)")
        }
    }

    /// Where only one tensor tells a size and the configuration names it: both are told.
    private static func isClaim(_ line: String, _ change: Change) -> Bool {
        line.hasPrefix("config: ") && line.hasSuffix("the file is cut or another model's")
            && line.contains("of shape \(change.shapes[change.tensor] ?? [])")
    }

    /// With a configuration that says nothing, sizes that a single tensor has are as it says.
    static let untold: [String: Set<String>] = [
        "sftok": ["quantize.embedding longer at 1"],
        "revq": ["quantizer.embeddings longer at 1", "quantizer.embeddings transposed"],
        "revq-identity": ["quantizer.embeddings longer at 1", "quantizer.embeddings transposed"],
    ]

    @Test(arguments: models)
    func whatShapesAloneDoNotTell(name: String) throws {
        let model = try Model(name)
        #expect(try model.problems(model.shapes, isSilent: true) == [], "unchanged")
        var untold: Set<String> = []
        for change in model.changes where !change.verdict.isEmpty {
            let lines = try model.problems(change.shapes, isSilent: true)
            if lines.isEmpty { untold.insert("\(change.tensor) \(change.what)") }
            let label = "\(name): \(change.tensor) \(change.what): \(lines)"
            #expect(lines.count <= 1 && lines.allSatisfy { $0.contains("'\(change.tensor)'") }, "\(label)")
        }
        #expect(untold == Self.untold[name] ?? [])
    }
}

/// A tiny model's names and shapes, and its configuration, as the fixture has them.
struct Model {
    let name: String
    let config: JSONValue
    private(set) var shapes: [String: [Int]] = [:]
    private(set) var changes: [StrictTests.Change] = []

    init(_ name: String) throws {
        self.name = name
        let path = Golden.fixtures + "/strict.json"
        let all = try JSONValue.parse(Array(Data(contentsOf: URL(fileURLWithPath: path))))
        config = try #require(all[name]?["config"])
        let tensors = try #require(all[name]?["tensors"]?.objectValue).members
        func text(_ value: JSONValue, _ index: Int) throws -> String { try #require(value[index]?.stringValue) }
        for member in tensors {
            shapes[member.name] = try #require(member.value[0]?.arrayValue).compactMap(\.intValue)
        }
        for member in tensors {
            addChanges(
                member.name, missing: try text(member.value, 1), renamed: try text(member.value, 2),
                longer: try text(member.value, 3), transposed: try text(member.value, 4))
        }
    }

    private mutating func addChanges(
        _ tensor: String, missing: String, renamed: String, longer: String, transposed: String
    ) {
        let shape = shapes[tensor] ?? []
        let expected = "\(shape)"
        func add(_ what: String, _ other: String?, _ found: [Int], _ verdict: String, _ line: String) {
            var changed = shapes
            changed[tensor] = nil
            if let other { changed[other] = found }
            changes.append(.init(tensor: tensor, what: what, shapes: changed, verdict: verdict, expected: line))
        }
        add("left out", nil, [], missing, "tensor '\(tensor)' is missing; expected shape \(expected)")
        add(
            "renamed", tensor + "_other", shape, renamed,
            "tensor '\(tensor)' is missing; expected shape \(expected), which the spare tensor '\(tensor)_other' has: "
                + "is it the same under another name?")
        func addMisshapen(_ what: String, _ found: [Int], _ verdict: String) {
            add(what, tensor, found, verdict, "tensor '\(tensor)' has shape \(found); expected \(expected)")
        }
        for axis in shape.indices {
            var found = shape
            found[axis] += 1
            addMisshapen("longer at \(axis)", found, longer.count == shape.count ? "s" : "")
        }
        addMisshapen("transposed", shape.reversed(), transposed)
    }

    /// What is said of these tensors by what `ModelLoader.load` asks before it reads anything.
    func problems(_ shapes: [String: [Int]], isSilent: Bool) throws -> [String] {
        let table = TensorTable(path: "weights", shapes: shapes)
        var settings = isSilent ? JSONValue.object(JSONObject()) : config
        // Without a word of the configuration, a rectifier is expected.
        if isSilent, name == "revq-identity" { settings = ["model": ["decoder": ["TYPE": "identity"]]] }
        let config = ConfigSection(ConfigNode(settings), at: "config")
        let latent = Extent(height: 8, width: 8, channels: 32)
        switch name {
        case "sftok": return try SFTokLayout.problems(table, config)
        case "revq", "revq-identity": return try ReVQLayout.problems(table, config, latent: latent)
        case "preprocessor": return PreprocessorLayout.problems(table, count: latent.count)
        default: return try DCAELayout(table, config, size: name == "dcae" ? 256 : 32).problems
        }
    }
}
