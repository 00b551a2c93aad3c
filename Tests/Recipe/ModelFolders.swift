import Foundation

/// Names and shapes of the models that goldens were made with, as `training/reference` states them.
package struct SFTokSize: Sendable {
    package var encoderWidth = 768
    package var encoderLayers = 12
    package var decoderWidth = 768
    package var decoderLayers = 12
    package var codes = 8192
    package var hidden = 128

    package static let tiny = SFTokSize(
        encoderWidth: 128, encoderLayers: 2, decoderWidth: 128, decoderLayers: 2, codes: 512, hidden: 32)
    package static let base = SFTokSize()
    package static let large = SFTokSize(decoderWidth: 1024, decoderLayers: 24)

    package var shapes: [String: [Int]] {
        let (w, d) = (encoderWidth, decoderWidth)
        var s: [String: [Int]] = [
            "latent_tokens": [64, w], "encoder.class_embedding": [1, w], "encoder.positional_embedding": [257, w],
            "encoder.latent_token_positional_embedding": [64, w], "encoder.patch_embed.weight": [w, 3, 16, 16],
            "encoder.patch_embed.bias": [w], "encoder.conv_out.weight": [32, w, 1, 1], "encoder.conv_out.bias": [32],
            "decoder.condition_positional_embedding": [64, d], "decoder.class_embedding": [1, d],
            "decoder.learnable_embedding_positional_embedding": [257, d], "decoder.decoder_embed.weight": [d, 32],
            "decoder.decoder_embed.bias": [d], "decoder.learnable_embedding.weight": [1025, d],
            "decoder.ffn.0.weight": [2 * d, d, 1, 1], "decoder.ffn.0.bias": [2 * d],
            "decoder.ffn.2.weight": [1024, 2 * d, 1, 1], "decoder.ffn.2.bias": [1024],
            "quantize.embedding": [1, codes, 32], "quantize.shared_linear.weight": [32, 32],
            "quantize.shared_linear.bias": [32], "pixel_quantize.embedding.weight": [1024, 256],
        ]
        for (part, width, layers) in [("encoder", w, encoderLayers), ("decoder", d, decoderLayers)] {
            Self.norm(&s, "\(part).ln_pre", width)
            Self.norm(&s, "\(part).ln_post", width)
            for layer in 0..<layers { Self.block(&s, "\(part).transformer.\(layer).", width) }
        }
        pixelDecoder(&s)
        return s
    }

    private static func norm(_ s: inout [String: [Int]], _ name: String, _ width: Int) {
        s[name + ".weight"] = [width]
        s[name + ".bias"] = [width]
    }

    private static func block(_ s: inout [String: [Int]], _ p: String, _ w: Int) {
        norm(&s, p + "ln_1", w)
        norm(&s, p + "ln_2", w)
        s[p + "attn.in_proj_weight"] = [3 * w, w]
        s[p + "attn.in_proj_bias"] = [3 * w]
        for (name, outputs, inputs) in [("attn.out_proj", w, w), ("mlp.c_fc", 4 * w, w), ("mlp.c_proj", w, 4 * w)] {
            s[p + name + ".weight"] = [outputs, inputs]
            s[p + name + ".bias"] = [outputs]
        }
    }

    private func pixelDecoder(_ s: inout [String: [Int]]) {
        let multiples = [1, 1, 2, 2, 4]
        let p = "pixel_decoder."
        func conv(_ name: String, _ outputs: Int, _ inputs: Int, bias: Bool) {
            s[p + name + ".weight"] = [outputs, inputs, 3, 3]
            if bias { s[p + name + ".bias"] = [outputs] }
        }
        func residual(_ name: String, _ inputs: Int, _ outputs: Int) {
            Self.norm(&s, p + name + ".norm1", inputs)
            Self.norm(&s, p + name + ".norm2", outputs)
            conv(name + ".conv1", outputs, inputs, bias: false)
            conv(name + ".conv2", outputs, outputs, bias: false)
            if inputs != outputs { s[p + name + ".nin_shortcut.weight"] = [outputs, outputs, 1, 1] }
        }
        let top = hidden * 4
        conv("conv_in", top, 256, bias: true)
        for block in 0..<2 { residual("mid.\(block)", top, top) }
        for stage in (0..<5).reversed() {
            let inputs = hidden * (stage == 4 ? 4 : multiples[stage + 1]), outputs = hidden * multiples[stage]
            residual("up.\(stage).block.0", inputs, outputs)
            residual("up.\(stage).block.1", outputs, outputs)
            if stage > 0 { conv("up.\(stage).upsample_conv", outputs, outputs, bias: true) }
        }
        Self.norm(&s, p + "norm_out", hidden)
        conv("conv_out", 3, hidden, bias: true)
    }
}

package struct ReVQSize: Sendable {
    package var channels = [128, 256, 512, 512, 1024, 1024]
    package var encoderLayers = [2, 2, 2, 3, 3, 3]
    package var decoderLayers = [3, 3, 3, 3, 3, 3]
    package var codes: Int
    package var dimensions: Int
    package var rectifier: Int
    package var rectifierLayers: Int
    /// First stage with EfficientViT blocks.
    private static let firstAttention = 3

    package static let tiny = ReVQSize(
        channels: [8, 16, 32, 32, 64, 64], encoderLayers: [1, 1, 1, 1, 1, 1], decoderLayers: [1, 1, 1, 1, 1, 1],
        codes: 256, dimensions: 4, rectifier: 64, rectifierLayers: 1)
    package static let tokens512 = ReVQSize(codes: 16384, dimensions: 4, rectifier: 512, rectifierLayers: 3)
    package static let tokens256 = ReVQSize(codes: 65536, dimensions: 8, rectifier: 1024, rectifierLayers: 4)

    package var tokens: Int { 2048 / dimensions }
    package var codebookShape: [Int] { [tokens, codes, dimensions] }

    package var vaeShapes: [String: [Int]] {
        var s: [String: [Int]] = [:]
        Self.conv(&s, "encoder.conv_in", channels[0], 3)
        for (stage, width) in channels.enumerated() {
            for block in 0..<encoderLayers[stage] {
                Self.block(&s, "encoder.down_blocks.\(stage).\(block)", width, attention: stage >= Self.firstAttention)
            }
            if stage < 5 {
                Self.conv(&s, "encoder.down_blocks.\(stage).\(encoderLayers[stage]).conv", channels[stage + 1], width)
            }
        }
        Self.conv(&s, "encoder.conv_out", 32, channels[5])
        let first = Self.firstAttention
        Self.decoder(&s, "decoder.", outputs: 3, channels, decoderLayers) { $0 >= first }
        return s
    }

    package var rectifierShapes: [String: [Int]] {
        var s: [String: [Int]] = [:]
        Self.decoder(&s, "", outputs: 32, [rectifier], [rectifierLayers]) { _ in true }
        return s
    }

    private static func conv(_ s: inout [String: [Int]], _ name: String, _ outputs: Int, _ inputs: Int) {
        s[name + ".weight"] = [outputs, inputs, 3, 3]
        s[name + ".bias"] = [outputs]
    }

    private static func decoder(
        _ s: inout [String: [Int]], _ p: String, outputs: Int, _ channels: [Int], _ layers: [Int],
        attention: (Int) -> Bool
    ) {
        conv(&s, p + "conv_in", channels[channels.count - 1], 32)
        for (stage, width) in channels.enumerated() {
            var next = 0
            if stage < channels.count - 1 {
                conv(&s, "\(p)up_blocks.\(stage).0.conv", width, channels[stage + 1])
                next = 1
            }
            for block in next..<next + layers[stage] {
                Self.block(&s, "\(p)up_blocks.\(stage).\(block)", width, attention: attention(stage))
            }
        }
        s[p + "norm_out.weight"] = [channels[0]]
        s[p + "norm_out.bias"] = [channels[0]]
        conv(&s, p + "conv_out", outputs, channels[0])
    }

    private static func block(_ s: inout [String: [Int]], _ p: String, _ c: Int, attention: Bool) {
        guard attention else {
            conv(&s, p + ".conv1", c, c)
            s[p + ".conv2.weight"] = [c, c, 3, 3]
            s[p + ".norm.weight"] = [c]
            s[p + ".norm.bias"] = [c]
            return
        }
        for name in ["to_q", "to_k", "to_v"] { s["\(p).attn.\(name).weight"] = [c, c] }
        s[p + ".attn.to_qkv_multiscale.0.proj_in.weight"] = [3 * c, 1, 5, 5]
        s[p + ".attn.to_qkv_multiscale.0.proj_out.weight"] = [3 * c, 32, 1, 1]
        s[p + ".attn.to_out.weight"] = [c, 2 * c]
        s[p + ".attn.norm_out.weight"] = [c]
        s[p + ".attn.norm_out.bias"] = [c]
        s[p + ".conv_out.conv_inverted.weight"] = [8 * c, c, 1, 1]
        s[p + ".conv_out.conv_inverted.bias"] = [8 * c]
        s[p + ".conv_out.conv_depth.weight"] = [8 * c, 1, 3, 3]
        s[p + ".conv_out.conv_depth.bias"] = [8 * c]
        s[p + ".conv_out.conv_point.weight"] = [c, 4 * c, 1, 1]
        s[p + ".conv_out.norm.weight"] = [c]
        s[p + ".conv_out.norm.bias"] = [c]
    }
}

/// A model folder in a temporary place, written from the recipe and removed at the end.
package final class TemporaryModel {
    package let path: String

    package init() throws {
        path = NSTemporaryDirectory() + "tessera-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path + "/vae", withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    package func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
    }

    package static func sftok(_ size: SFTokSize, seed: UInt64 = 0) throws -> TemporaryModel {
        let folder = try TemporaryModel()
        let writer = SafetensorsWriter()
        for (name, shape) in size.shapes { writer.add(name, shape: shape, seed: seed) }
        try writer.write(to: folder.path + "/model.safetensors")
        try folder.write(
            "{\"model\": {\"vq_model\": {\"codebook_size\": \(size.codes)}, "
                + "\"decoder\": {\"randomize_temperature\": 1.0}}}",
            to: "config.json")
        return folder
    }

    /// - Parameter latentDeviation: what the recipe's `preprocessor.std` is multiplied by.
    package static func revq(_ size: ReVQSize, seed: UInt64 = 0, latentDeviation: Float) throws -> TemporaryModel {
        let folder = try TemporaryModel()
        let main = SafetensorsWriter()
        main.add("embeddings", as: "quantizer.embeddings", shape: size.codebookShape, seed: seed)
        for (name, shape) in size.rectifierShapes {
            main.add(name, as: "decoder." + name, shape: shape, seed: seed + 1)
        }
        try main.write(to: folder.path + "/model.safetensors")
        let vae = SafetensorsWriter()
        for (name, shape) in size.vaeShapes { vae.add(name, shape: shape, seed: seed) }
        try vae.write(to: folder.path + "/vae/diffusion_pytorch_model.safetensors")
        let preprocessor = SafetensorsWriter()
        preprocessor.add("mean", shape: [2048], seed: seed)
        preprocessor.add("std", values: tensor("std", shape: [2048], seed: seed).map { $0 * latentDeviation })
        try preprocessor.write(to: folder.path + "/preprocessor.pth")
        try folder.write("{\"attention_head_dim\": 32}", to: "vae/config.json")
        try folder.write("model:\n  decoder: {TYPE: dc_ae}\n", to: "model.yaml")
        return folder
    }
}

/// Writes float32 safetensors files, tensor by tensor.
package final class SafetensorsWriter {
    private var entries: [(name: String, shape: [Int], fill: (UnsafeMutableBufferPointer<Float>) -> Void)] = []

    package init() {}

    /// The recipe's tensor `name`, stored under another name where one is given.
    package func add(_ name: String, as stored: String? = nil, shape: [Int], seed: UInt64) {
        let (centre, spread) = scaleOf(name, shape: shape)
        entries.append(
            (stored ?? name, shape, { fill($0, name: name, seed: seed, centre: centre, spread: spread) }))
    }

    package func add(_ name: String, shape: [Int]? = nil, values: [Float]) {
        entries.append((name, shape ?? [values.count], { _ = $0.update(from: values) }))
    }

    package func write(to path: String) throws {
        var offset = 0
        let members = entries.map { entry in
            let size = entry.shape.reduce(4, *)
            defer { offset += size }
            return
                "\"\(entry.name)\":{\"dtype\":\"F32\",\"shape\":\(entry.shape),"
                + "\"data_offsets\":[\(offset),\(offset + size)]}"
        }
        let header = Data("{\(members.joined(separator: ","))}".utf8)
        guard FileManager.default.createFile(atPath: path, contents: nil),
            let file = FileHandle(forWritingAtPath: path)
        else { throw CocoaError(.fileWriteUnknown) }
        try file.write(contentsOf: withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) })
        try file.write(contentsOf: header)
        for entry in entries {
            let values = UnsafeMutableBufferPointer<Float>.allocate(capacity: entry.shape.reduce(1, *))
            defer { values.deallocate() }
            entry.fill(values)
            try file.write(
                contentsOf: Data(
                    bytesNoCopy: values.baseAddress.unsafelyUnwrapped, count: values.count * 4, deallocator: .none))
        }
        try file.close()
    }
}
