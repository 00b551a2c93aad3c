import Checkpoint
import Foundation
import JSON
import Recipe
import Testing
import TokenizerCore

@testable import Models

/// What changes a fingerprint and what doesn't, one thing at a time.
struct FingerprintTests {
    private static let settings = ["tessera 1", "test", ""]

    // MARK: settings

    static let contract = TokenContract(
        architecture: "sftok", tokensPerImage: 64, codebookSize: 512, perPositionCodebooks: false,
        assignments: [.sinkhorn, .nearest], defaultSteps: 8, defaultTemperature: 1,
        preprocessing: Preprocessing(filter: .bicubic, size: 256), precision: .fp32, fingerprint: "", parameters: 10)

    struct Change: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let apply: @Sendable (inout TokenContract) -> Void

        init(_ name: String, _ apply: @escaping @Sendable (inout TokenContract) -> Void) {
            testDescription = name
            self.apply = apply
        }
    }

    /// What decides ids and images beside the tensors.
    static let counted = [
        Change("architecture") { $0.architecture = "revq" },
        Change("tokens per image") { $0.tokensPerImage = 65 },
        Change("codebook size") { $0.codebookSize = 513 },
        Change("tokens and codes exchanged") { ($0.tokensPerImage, $0.codebookSize) = (512, 64) },
        Change("filter") { $0.preprocessing.filter = .bilinear },
        Change("picture size") { $0.preprocessing.size = 255 },
        Change("default assignment") { $0.assignments = [.nearest, .sinkhorn] },
        Change("fewer assignments") { $0.assignments = [.sinkhorn] },
        Change("other assignments") { $0.assignments = [.nearest] },
        Change("bf16") { $0.precision = .bf16 },
        Change("int8") { $0.precision = .int8 },
    ]

    /// What shapes of tensors tell already, what a request may choose, and what follows from the rest.
    static let uncounted = [
        Change("codebooks per position") { $0.perPositionCodebooks = true },
        Change("default steps") { $0.defaultSteps = nil },
        Change("default temperature") { $0.defaultTemperature = 0.5 },
        Change("fingerprint") { $0.fingerprint = "aa" },
        Change("parameters") { $0.parameters = 11 },
    ]

    @Test(arguments: counted) func whatDecidesTokensCounts(_ change: Change) throws {
        var other = Self.contract
        change.apply(&other)
        #expect(try Fingerprint.of([], other) != Fingerprint.of([], Self.contract))
    }

    @Test(arguments: uncounted) func whatDoesNotIsLeftOut(_ change: Change) throws {
        var other = Self.contract
        change.apply(&other)
        #expect(other != Self.contract)
        #expect(try Fingerprint.of([], other) == Fingerprint.of([], Self.contract))
    }

    @Test func eachChangeGivesAnotherOne() throws {
        let all = try Self.counted.map { change in
            var other = Self.contract
            change.apply(&other)
            return try Fingerprint.of([], other)
        }
        #expect(Set(all).count == all.count)
    }

    /// Of the VAE's encoder, by which a cache of latents is known.
    @Test func theEncodersCountsItsPreprocessing() throws {
        let ways = [
            Preprocessing(filter: .bilinear, size: 256), Preprocessing(filter: .bicubic, size: 256),
            Preprocessing(filter: .bilinear, size: 255),
        ]
        let all = try ways.map { try Fingerprint.of([], settings: Fingerprint.settings(encoder: $0)) }
        #expect(Set(all).count == ways.count)
    }

    // MARK: tensors

    private static let folder = Golden.fixtures + "/fingerprint"

    private func fingerprint(of path: String, settings: [String] = settings) throws -> String {
        let file = try CheckpointFile(path: path)
        return try Fingerprint.of(
            file.names.map { FingerprintedTensor(file: file, name: $0, canonicalName: $0) }, settings: settings)
    }

    /// `hashlib`'s numbers over PyTorch's float32 values: float16, bfloat16, float64, views in a torch archive.
    @Test(arguments: [
        "float32.safetensors", "float16.safetensors", "bfloat16.safetensors", "float64.safetensors", "views.pth",
        "rounded.safetensors",
    ])
    func isThatOfTheValuesInFloat32(name: String) throws {
        let bytes = Array(try Data(contentsOf: URL(fileURLWithPath: Self.folder + "/fingerprints.json")))
        let expected = try #require(JSONValue.parse(bytes)[name]?.stringValue)
        #expect(try fingerprint(of: "\(Self.folder)/\(name)") == expected)
    }

    private struct Tensor: Sendable {
        var name: String
        var shape: [Int]
        var values: [Float]
    }

    private func fingerprint(of tensors: [Tensor]) throws -> String {
        let folder = try TemporaryModel(), writer = Recipe.SafetensorsWriter()
        for tensor in tensors { writer.add(tensor.name, shape: tensor.shape, values: tensor.values) }
        try writer.write(to: folder.path + "/t.safetensors")
        return try fingerprint(of: folder.path + "/t.safetensors")
    }

    private static let plain = [
        Tensor(name: "a", shape: [2, 3], values: [1, 2, 3, 4, 5, 6]),
        Tensor(name: "b", shape: [2, 3], values: [7, 8, 9, 10, 11, 12]), Tensor(name: "c", shape: [2], values: [0, 1]),
    ]

    /// Name, and how the three tensors are changed.
    private static let changes: [(String, @Sendable (inout [Tensor]) -> Void)] = [
        ("another value", { $0[0].values[5] = 6.000_000_5 }), ("another sign of zero", { $0[2].values[0] = -0.0 }),
        ("rows for columns", { $0[0].shape = [3, 2] }), ("no rows", { $0[0].shape = [6] }),
        ("an edge of 1 more", { $0[0].shape = [2, 3, 1] }), ("an edge of 1 before", { $0[0].shape = [1, 2, 3] }),
        ("another name", { $0[0].name = "aa" }), ("names exchanged", { ($0[0].name, $0[1].name) = ("b", "a") }),
        ("one less", { $0.removeLast() }), ("one more", { $0.append(Tensor(name: "d", shape: [1], values: [0])) }),
        (
            "a number moved to the next",
            {
                $0[0] = Tensor(name: "a", shape: [5], values: [1, 2, 3, 4, 5])
                $0[1] = Tensor(name: "b", shape: [7], values: [6, 7, 8, 9, 10, 11, 12])
            }
        ),
    ]

    @Test func eachChangeOfATensorCounts() throws {
        var found = [try fingerprint(of: Self.plain)]
        for (name, change) in Self.changes {
            var tensors = Self.plain
            change(&tensors)
            let other = try fingerprint(of: tensors)
            #expect(!found.contains(other), "\(name)")
            found.append(other)
        }
    }

    @Test func theOrderInTheFileDoesNotCount() throws {
        #expect(try fingerprint(of: Self.plain.reversed()) == fingerprint(of: Self.plain))
    }

    /// A tensor of an older release is hashed under its new name.
    @Test func theCanonicalNameCounts() throws {
        let file = try CheckpointFile(path: Self.folder + "/rounded.safetensors")
        func fingerprint(_ name: String) throws -> String {
            try Fingerprint.of([.init(file: file, name: "x", canonicalName: name)], settings: [])
        }
        #expect(try fingerprint("x") != fingerprint("y"))
    }

    @Test func theSettingsCount() throws {
        let path = Self.folder + "/float32.safetensors"
        let all = try [Self.settings, [], ["tessera 1", "test"], ["tessera 2", "test", ""]].map {
            try fingerprint(of: path, settings: $0)
        }
        #expect(Set(all).count == all.count)
    }
}
