import Foundation
import Recipe
import Testing

/// `tessera inspect` and `tessera serve` as processes, on models with one tensor that is wrong.
@Suite(.serialized, .timeLimit(.minutes(5))) struct InspectCommandTests {
    struct Defect: Sendable {
        let tensor: String
        /// `nil`: left out.
        let name: String?
        let shape: [Int]
        /// What is said of it, after the file's path.
        let told: String
    }

    static let defects = [
        Defect(
            tensor: "encoder.transformer.1.attn.out_proj.bias", name: nil, shape: [128],
            told: "tensor 'encoder.transformer.1.attn.out_proj.bias' is missing; expected shape [128]"),
        Defect(
            tensor: "decoder.ffn.2.bias", name: "decoder.ffn.2.bias", shape: [1025],
            told: "tensor 'decoder.ffn.2.bias' has shape [1025]; expected [1024]"),
        Defect(
            tensor: "decoder.decoder_embed.weight", name: "decoder.decoder_embed.weight", shape: [32, 128],
            told: "tensor 'decoder.decoder_embed.weight' has shape [32, 128]; expected [128, 32]"),
        Defect(
            tensor: "pixel_decoder.conv_out.bias", name: "pixel_decoder.conv_out.b", shape: [3],
            told: "tensor 'pixel_decoder.conv_out.bias' is missing; expected shape [3], which the spare tensor "
                + "'pixel_decoder.conv_out.b' has: is it the same under another name?"),
        Defect(
            tensor: "quantize.embedding", name: "quantize.embeddings", shape: [1, 512, 32],
            told: "tensor 'quantize.embedding' is missing; expected shape [1, 512, 32], which the spare tensor "
                + "'quantize.embeddings' has: is it the same under another name?"),
    ]

    @Test(arguments: defects)
    func oneWrongTensorIsOneLine(defect: Defect) throws {
        let folder = try TemporaryModel.sftok(.tiny)
        let writer = SafetensorsWriter()
        for (name, shape) in SFTokSize.tiny.shapes {
            if name != defect.tensor {
                writer.add(name, shape: shape, seed: 0)
            } else if let other = defect.name {
                writer.add(name, as: other, shape: defect.shape, seed: 0)
            }
        }
        try writer.write(to: folder.path + "/model.safetensors")
        let inspected = try TesseraProcess.run(["inspect", folder.path])
        #expect(inspected.status == 1)
        #expect(inspected.errors == "error: \(folder.path)/model.safetensors: \(defect.told)\n")
        let served = try TesseraProcess.run(["serve", "--model", "x=\(folder.path)", "--listen", "127.0.0.1:0"])
        #expect(served.status != 0)
        let lines = served.errors.split(separator: "\n").filter { $0.contains(defect.told) }
        #expect(lines.count == 1, "\(served.errors)")
    }

    @Test func severalAreALineEach() throws {
        let folder = try TemporaryModel.sftok(.tiny)
        let writer = SafetensorsWriter()
        for (name, shape) in SFTokSize.tiny.shapes where name != "encoder.ln_pre.bias" {
            writer.add(name, shape: name == "latent_tokens" ? [65, 128] : shape, seed: 0)
        }
        writer.add("extra", shape: [2, 3], seed: 0)
        try writer.write(to: folder.path + "/model.safetensors")
        let inspected = try TesseraProcess.run(["inspect", folder.path])
        let start = "error: \(folder.path)/model.safetensors: "
        #expect(inspected.status == 1)
        #expect(
            inspected.errors == """
                \(start)tensor 'encoder.ln_pre.bias' is missing; expected shape [128]
                \(start)tensor 'latent_tokens' has shape [65, 128]; expected [64, 128]
                \(start)spare tensor that the model does not have: 'extra', of shape [2, 3]

                """)
    }
}
