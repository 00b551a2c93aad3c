import Checkpoint
import Foundation
import Recipe
import Tensor
import Testing
import TokenizerCore

@testable import Models

/// A start on packed weights beside one that reads them.
@Suite(.serialized)
struct PackedModelTests {
    enum Kind: CaseIterable {
        case sftok, revq

        func folder(seed: UInt64 = 0) throws -> TemporaryModel {
            switch self {
            case .sftok: try TemporaryModel.sftok(.tiny, seed: seed)
            case .revq: try TemporaryModel.revq(.tiny, seed: seed, latentDeviation: 1)
            }
        }
    }

    /// A model's results.
    struct Outputs: Equatable {
        let contract: TokenContract
        let tokens: TokenSequence
        let picture: RGBImage
        let codes: [Float]

        init(_ model: any Tokenizer) throws {
            let pixels = (0..<256 * 256 * 3).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 13) }
            contract = model.contract
            tokens = try model.encode(
                RGBImage(width: 256, height: 256, pixels: pixels), options: EncodeOptions(wantsMargins: true))
            let steps = contract.defaultSteps.map { _ in 2 }
            picture = try model.decode(tokens.ids, options: DecodeOptions(steps: steps))
            codes = model.codebook().values
        }
    }

    /// What a level computes in.
    static let ways: [(Compute.Level, Precision)] = Compute.Level.allCases.flatMap { level in
        Precision.allCases.map { (level, $0) }
    }.filter { level, precision in
        guard level.rawValue <= Compute.bestLevel.rawValue else { return false }
        Compute.force(level)
        defer { Compute.force(Compute.bestLevel) }
        return precision.arithmetic.isNative
    }

    private func load(_ folder: TemporaryModel, _ precision: Precision = .fp32) throws -> LoadedModel {
        try ModelLoader.load(source(folder, precision))
    }

    private func source(_ folder: TemporaryModel, _ precision: Precision = .fp32) -> ModelSource {
        ModelSource(id: "tiny", folder: folder.path, precision: precision)
    }

    @Test(arguments: Kind.allCases, ways)
    func aMappedModelOutputsTheSame(kind: Kind, way: (level: Compute.Level, precision: Precision)) throws {
        Compute.force(way.level)
        defer { Compute.force(Compute.bestLevel) }
        let folder = try kind.folder()
        let read = try load(folder, way.precision)
        #expect(read.description.packed == nil)
        let (packed, path, bytes) = try ModelLoader.pack(source(folder, way.precision))
        #expect(packed.contract == read.description.contract && bytes > 0)
        let mapped = try load(folder, way.precision)
        #expect(mapped.description.packed == path)
        #expect(mapped.description.warnings == read.description.warnings)
        #expect(try Outputs(mapped.tokenizer) == Outputs(read.tokenizer))
        #expect(try ModelLoader.checkPacked(source(folder, way.precision)).bytes == bytes)
    }

    /// A level's weights aren't looked for at another.
    @Test func anotherPrecisionOrLevelHasAnotherFile() throws {
        let folder = try Kind.sftok.folder()
        var paths: Set<String> = []
        for (level, precision) in Self.ways {
            Compute.force(level)
            defer { Compute.force(Compute.bestLevel) }
            let description = try load(folder, precision).description
            #expect(description.packed == nil && description.warnings.isEmpty)
            paths.insert(try ModelLoader.pack(source(folder, precision)).path)
        }
        #expect(paths.count == Self.ways.count)
    }

    enum Defect: CaseIterable {
        case empty, cutShort, cutByOne, changedIndex, changedEnding, otherVersion, notPacked, folder
        case otherLevel, otherLayout, missingLayer, swappedLayers, otherLibrary, otherSettings, noFacts
        case changedWeights, longerWeights, otherName

        var warning: String {
            switch self {
            case .empty: "is empty"
            case .cutShort, .cutByOne: "was cut short"
            case .changedIndex, .changedEnding: "checksum"
            case .otherVersion: "is of version '9', expected 1"
            case .notPacked: "does not begin as"
            case .folder: "is not a regular file"
            case .otherLevel: "packed for instructions 'sse2', expected"
            case .otherLayout: "layer 'encoder.conv_out': packed as 'x"
            case .missingLayer: "there is no layer 'encoder.conv_out'"
            case .swappedLayers: "layer '"
            case .otherLibrary: "packed for version 'oneDNN 0', expected 'oneDNN "
            case .otherSettings: "other settings"
            case .noFacts: "doesn't say what was packed"
            case .changedWeights: "their fingerprint is another"
            case .longerWeights, .otherName: "other weights: packed from model.safetensors of"
            }
        }
    }

    /// The model's outputs are those of a folder without packed weights.
    @Test(arguments: Defect.allCases)
    func whatDoesNotFitIsToldAndNotUsed(defect: Defect) throws {
        let folder = try Kind.sftok.folder()
        let path = try ModelLoader.pack(source(folder)).path
        try damage(path, of: folder, defect)
        let loaded = try load(folder)
        #expect(loaded.description.packed == nil)
        #expect(loaded.description.warnings.count == 1)
        #expect(
            loaded.description.warnings.first?.contains(defect.warning) == true, "\(loaded.description.warnings)")
        #expect(loaded.description.warnings.first?.hasPrefix(path) == true)
        try? FileManager.default.removeItem(atPath: path)
        #expect(try Outputs(loaded.tokenizer) == Outputs(load(folder).tokenizer))
    }

    private func damage(_ path: String, of folder: TemporaryModel, _ defect: Defect) throws {
        func change(_ name: String? = nil, _ body: (inout Data) -> Void) throws {
            let url = URL(fileURLWithPath: name.map { "\(folder.path)/\($0)" } ?? path)
            var bytes = try Data(contentsOf: url)
            body(&bytes)
            try bytes.write(to: url)
        }
        switch defect {
        case .empty: try change { $0 = Data() }
        case .cutShort: try change { $0 = $0.prefix($0.count / 2) }
        case .cutByOne: try change { $0.removeLast() }
        case .changedIndex: try change { $0[$0.count - 100] ^= 1 }
        case .changedEnding: try change { $0[$0.count - 1] ^= 1 }
        case .otherVersion: try change { $0[23] = UInt8(ascii: "9") }
        case .notPacked: try change { $0[0] ^= 1 }
        case .folder:
            try FileManager.default.removeItem(atPath: path)
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        case .otherLevel:
            Compute.force(.sse2)
            let weakest = try ModelLoader.pack(source(folder)).path
            Compute.force(Compute.bestLevel)
            try FileManager.default.removeItem(atPath: path)
            try FileManager.default.moveItem(atPath: weakest, toPath: path)
        // A bit of the last number's fraction.
        case .changedWeights: try change("model.safetensors") { $0[$0.count - 2] ^= 0x20 }
        case .longerWeights: try rewriteWeights(of: folder, withSpare: true)
        case .otherName:
            try FileManager.default.moveItem(
                atPath: folder.path + "/model.safetensors", toPath: folder.path + "/other.bin")
        default: try rewrite(path, defect)
        }
    }

    private func rewriteWeights(of folder: TemporaryModel, withSpare: Bool = false) throws {
        let writer = SafetensorsWriter()
        for (name, shape) in SFTokSize.tiny.shapes { writer.add(name, shape: shape, seed: 7) }
        // A buffer that no layer needs.
        if withSpare { writer.add("count", values: [1]) }
        try writer.write(to: folder.path + "/model.safetensors")
    }

    /// The same file, well made, of something else.
    private func rewrite(_ path: String, _ defect: Defect) throws {
        let file = try PackedFile(path: path)
        var layers = file.layers.map { name, layer in
            PackedWriter.Layer(name: name, layout: layer.layout, parts: layer.parts.map { file.bytes(of: $0) })
        }
        var facts = try #require(PackedFacts(file.facts)), json = facts.json
        let at = try #require(layers.firstIndex { $0.name == "encoder.conv_out" })
        switch defect {
        case .otherLayout: layers[at] = .init(name: layers[at].name, layout: "x", parts: layers[at].parts)
        case .missingLayer: layers.remove(at: at)
        case .swappedLayers:
            let names = layers.map(\.name)
            for (index, layer) in layers.enumerated() {
                layers[index] = .init(
                    name: names[(index + 1) % names.count], layout: layer.layout, parts: layer.parts)
            }
        case .otherLibrary: facts.oneDNN = "oneDNN 0"
        case .otherSettings: facts.settings.append("x")
        default: break
        }
        json = defect == .noFacts ? ["x": 1] : facts.json
        try PackedWriter.write(path, facts: json, layers: layers)
    }

    /// Weights that are private stay so.
    @Test func mayBeReadByWhoMayReadTheWeights() throws {
        let folder = try Kind.sftok.folder()
        for mode in [0o600, 0o644] as [mode_t] {
            #expect(chmod(folder.path + "/model.safetensors", mode) == 0)
            let path = try ModelLoader.pack(source(folder)).path
            var status = stat()
            #expect(stat(path, &status) == 0 && status.st_mode & 0o777 == mode)
        }
    }

    /// A part that is too short for its layer, with the right layout, in a file that is well made.
    @Test(arguments: [0, 64])
    func partsOfAnotherSizeAreRefused(bytes: Int) throws {
        let folder = try Kind.revq.folder()
        let path = try ModelLoader.pack(source(folder)).path
        let file = try PackedFile(path: path)
        for chosen in file.layers.keys.sorted().enumerated().filter({ $0.offset.isMultiple(of: 9) }).map(\.element) {
            let layers = file.layers.map { name, layer in
                PackedWriter.Layer(
                    name: name, layout: layer.layout,
                    parts: layer.parts.map { part in
                        let whole = file.bytes(of: part)
                        return name == chosen && part.count > bytes
                            ? UnsafeRawBufferPointer(rebasing: whole[..<bytes]) : whole
                    })
            }
            try PackedWriter.write(path, facts: file.facts, layers: layers)
            let description = try load(folder).description
            #expect(description.packed == nil, "\(chosen)")
            #expect(description.warnings.first?.contains(chosen) == true, "\(chosen): \(description.warnings)")
        }
    }

    @Test func onlyTimesDiffer() throws {
        let folder = try Kind.sftok.folder()
        let path = try ModelLoader.pack(source(folder)).path
        let read = try Outputs(load(folder).tokenizer)
        try FileManager.default.setAttributes(
            [.modificationDate: Date(timeIntervalSince1970: 1)], ofItemAtPath: folder.path + "/model.safetensors")
        let loaded = try load(folder)
        #expect(loaded.description.packed == path)
        #expect(loaded.description.warnings.count == 1)
        #expect(loaded.description.warnings.first?.contains("other times") == true)
        #expect(try Outputs(loaded.tokenizer) == read)
    }

    /// A configuration that no longer fits the weights is refused where they are packed as where not.
    @Test func aConfigurationThatNoLongerFits() throws {
        let folder = try Kind.revq.folder()
        try folder.write("model:\n  decoder: {TYPE: dc_ae}\n", to: "model.yaml")
        _ = try ModelLoader.pack(source(folder))
        try folder.write("model:\n  decoder: {TYPE: identity}\n", to: "model.yaml")
        let error = #expect(throws: (any Error).self) { try load(folder) }
        #expect("\(error.map { "\($0)" } ?? "")".contains("decoder."))
    }

    /// What a start can't see.
    @Test func damageAmongTheNumbersIsFoundByACheck() throws {
        let folder = try Kind.sftok.folder()
        let path = try ModelLoader.pack(source(folder)).path
        let handle = try #require(FileHandle(forUpdatingAtPath: path))
        try handle.seek(toOffset: 4096)
        let byte = try #require(try handle.read(upToCount: 1)?.first)
        try handle.seek(toOffset: 4096)
        try handle.write(contentsOf: [byte ^ 1])
        try handle.close()
        #expect(try load(folder).description.packed == path)
        #expect(throws: CheckpointError.packed(path: path, .contents)) { try ModelLoader.checkPacked(source(folder)) }
    }

    @Test func packedAnewWhileMapped() throws {
        let folder = try Kind.sftok.folder()
        let path = try ModelLoader.pack(source(folder)).path
        let mapped = try load(folder)
        let before = try Outputs(mapped.tokenizer)
        try rewriteWeights(of: folder)
        _ = try ModelLoader.pack(source(folder))
        #expect(try Outputs(mapped.tokenizer) == before)
        let new = try load(folder)
        #expect(new.description.packed == path && new.description.warnings.isEmpty)
        #expect(try Outputs(new.tokenizer) != before)
        #expect(new.tokenizer.contract.fingerprint != before.contract.fingerprint)
    }

    /// Processes that map the same file have its pages in common, and none has a page of it to itself.
    @Test func pagesAreShared() throws {
        let folder = try Kind.sftok.folder()
        let path = try ModelLoader.pack(source(folder)).path
        let first = try load(folder), second = try load(folder)
        #expect(try Outputs(first.tokenizer) == Outputs(second.tokenizer))
        let maps = try Self.maps(of: path)
        #expect(maps.count == 2)
        for map in maps {
            #expect(map.access == "r--s")
            #expect(map.kilobytes["Private_Dirty"] == 0 && map.kilobytes["Shared_Dirty"] == 0)
            #expect(map.kilobytes["Anonymous"] == 0)
            #expect((map.kilobytes["Rss"] ?? 0) > 100)
        }
        #expect(try Self.maps(of: folder.path + "/model.safetensors").isEmpty, "the source isn't held")
        withExtendedLifetime((first, second)) {}
    }

    /// This process's mappings of a file, as /proc tells.
    private static func maps(of path: String) throws -> [(access: String, kilobytes: [String: Int])] {
        var maps: [(access: String, kilobytes: [String: Int])] = []
        var isWanted = false
        let table = try #require(FileHandle(forReadingAtPath: "/proc/self/smaps")).readDataToEndOfFile()
        for line in String(decoding: table, as: UTF8.self).split(separator: "\n") {
            let words = line.split(separator: " ")
            if words.count >= 5, words[0].contains("-"), !words[0].hasSuffix(":") {
                isWanted = line.hasSuffix(path)
                if isWanted { maps.append((String(words[1]), [:])) }
            } else if isWanted, words.count == 3, let number = Int(words[1]) {
                maps[maps.count - 1].kilobytes[String(words[0].dropLast())] = number
            }
        }
        return maps
    }

    @Test func aFolderThatCannotBeWrittenIsTold() throws {
        let folder = try Kind.sftok.folder()
        let path = try ModelLoader.pack(source(folder)).path
        try FileManager.default.removeItem(atPath: path)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        #expect(throws: FileWriteError.self) { try ModelLoader.pack(source(folder)) }
        #expect(throws: CheckpointError.notAFile(path: path)) { try ModelLoader.checkPacked(source(folder)) }
        try FileManager.default.removeItem(atPath: path)
        #expect(throws: ModelError.self) { try ModelLoader.checkPacked(source(folder)) }
    }
}
