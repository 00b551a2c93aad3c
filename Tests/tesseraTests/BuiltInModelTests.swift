import Foundation
import ImageInput
import JSON
import Models
import Testing
import TokenizerCore

/// revq-mini as a command finds it: in the resources beside the built executable.
@Suite(.serialized) struct BuiltInModelTests {
    static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .appending(path: "../..").standardized
    static let cat = root.appending(path: "docs/chelsea.jpg").path
    static let folder = root.appending(path: "Sources/tessera/Resources/revq-mini")

    @Test func aPhotographComesBackRecognisably() throws {
        let out = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: out, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: out) }
        let photographs = Self.root.appending(path: "Tests/TrainingTests/Fixtures/photographs").path
        let json = out.appending(path: "eval.json").path, sheet = out.appending(path: "sheet.png").path
        let result = try TesseraProcess.run(["eval", "--json", json, "--sheet", sheet, Self.cat, photographs])
        #expect(result.status == 0, "\(result.errors)")
        let report = try JSONValue.parse(Array(Data(contentsOf: URL(fileURLWithPath: json))))
        #expect(report["model"]?["id"] == "revq-mini" && report["model"]?["tokens_per_image"] == 512)
        #expect(report["pictures"]?["evaluated"] == 4)
        // Any other codes, rectifier or VAE would be far below.
        #expect(try #require(report["psnr"]?["mean"]?.doubleValue) > 24)
        #expect(try #require(report["psnr"]?["lowest"]?["value"]?.doubleValue) > 19)
        let pixels = try decode(Array(Data(contentsOf: URL(fileURLWithPath: sheet)))).image
        #expect(pixels.width >= 4 * 256 && pixels.height >= 2 * 256)
    }

    @Test func theBuiltInModelIsAsDescribed() throws {
        let model = try ModelLoader.load(ModelSource(id: "revq-mini", folder: Self.folder.path), threads: 1)
        #expect(model.description.warnings.isEmpty)
        let contract = model.tokenizer.contract
        #expect(contract.tokensPerImage == 512 && contract.codebookSize == 16384 && !contract.perPositionCodebooks)
        let report = try JSONValue.parse(
            Array(Data(contentsOf: Self.folder.appending(path: "training.json"))))
        #expect(try #require(report["usage"]?.doubleValue) >= 0.95)
        let rectified = try #require(report["validation_rectified"]?.doubleValue)
        #expect(rectified < (try #require(report["validation_quantized"]?.doubleValue)))
        let card = try String(contentsOf: Self.folder.appending(path: "README.md"), encoding: .utf8)
        #expect(card.contains(contract.fingerprint))
        let files = try #require(FileManager.default.subpaths(atPath: Self.folder.path))
        let sizes = try files.map { name in
            let facts = try FileManager.default.attributesOfItem(atPath: Self.folder.appending(path: name).path)
            return facts[.type] as? FileAttributeType == .typeRegular ? facts[.size] as? Int ?? 0 : 0
        }
        #expect(sizes.reduce(0, +) <= 16 << 20)
    }
}
