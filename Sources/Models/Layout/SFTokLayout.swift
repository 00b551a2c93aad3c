/// The tensors of an SFTok checkpoint (arXiv 2512.16910): both transformers, the quantizer, and the pixel decoder,
/// which is MaskGIT's VQGAN (arXiv 2202.04200).
struct SFTokLayout {
    private let table: TensorTable
    private let config: ConfigSection
    private var layout = Layout()
    private var depths: [String: Int] = [:]
    /// Stages of the pixel decoder.
    private let stages: Int

    /// Buffers that old and new releases carry and this doesn't need.
    static let buffers: Set<String> = ["quantize.index_offset", "index_offset", "count"]

    /// The authors' words for the sizes of a transformer.
    private static let words = [
        "small": (layers: 8, width: 512), "base": (layers: 12, width: 768), "large": (layers: 24, width: 1024),
    ]

    /// Lines of what is wrong with the tensors, or with the configuration beside them; none where all is well.
    ///
    /// - Throws: `ModelError` where blocks are missing between others, or a setting isn't of its type.
    static func problems(_ table: TensorTable, _ config: ConfigSection) throws(ModelError) -> [String] {
        let layout = try SFTokLayout(table, config)
        return try layout.problems()
    }

    private init(_ table: TensorTable, _ config: ConfigSection) throws(ModelError) {
        self.table = table
        self.config = config
        stages = try table.blockIndices("pixel_decoder.up", least: 2).count
        try addEncoder()
        try addDecoder()
        addQuantizers()
        try addPixelDecoder()
    }

    private func problems() throws(ModelError) -> [String] {
        let model = try config.section("model")
        let (vq, decoder) = (try model.section("vq_model"), try model.section("decoder"))
        let pixels = try config.section("dataset").section("preprocessing").int("crop_size")
        let patch = try vq.int("vit_enc_patch_size")
        var sizes = layout.sizes(
            in: table,
            hints: [
                "codes": [try vq.int("codebook_size")].compactMap(\.self), "patch": [patch ?? 16],
                "pixel codes width": [256],
            ])
        var claims = Claims(config.path, table)
        try compareTransformer("encoder", vq, "vit_enc_model_size", sizes, &claims)
        try compareTransformer("decoder", decoder, "vit_dec_model_size", sizes, &claims)
        for (section, name, size) in [
            (vq, "codebook_size", "codes"), (vq, "token_size", "token"), (vq, "num_latent_tokens", "latents"),
            (vq, "vit_enc_patch_size", "patch"), (decoder, "token_size", "token"),
            (decoder, "num_latent_tokens", "latents"), (decoder, "codebook_size", "proxy codes"),
        ] {
            claims.compare(section.full(name), try section.int(name), size, sizes)
        }
        claims.compare(vq.full("num_group"), try vq.int("num_group").map(String.init), "1")
        let proxies = sizes["side"].map { $0 * $0 }
        claims.compare(
            decoder.full("num_proxy_codes"), try decoder.int("num_proxy_codes").map(String.init),
            proxies.map(String.init))
        sizes.completeGrid(pixels: pixels)
        if let grid = sizes["grid"], let patch = sizes["patch"] {
            claims.compare("dataset.preprocessing.crop_size", pixels.map(String.init), "\(grid * patch)")
        }
        if sizes["codes"] == nil { sizes.values["codes"] = try vq.int("codebook_size") }
        var whole = layout
        addShortcuts(to: &whole, sizes)
        let defects = whole.defects(in: table, sizes.values) { !Self.buffers.contains($0) }
        return defects.map { $0.line(table.path) } + claims.lines
    }

    private func compareTransformer(
        _ part: String, _ section: ConfigSection, _ name: String, _ sizes: Sizes, _ claims: inout Claims
    ) throws(ModelError) {
        guard let word = try section.word(name), let size = Self.words[word], let width = sizes["\(part) width"]
        else { return }
        func text(_ layers: Int, _ width: Int) -> String { "\(layers) layers, \(width) wide" }
        let found = text(depths[part] ?? 0, width)
        let claimed = text(size.layers, size.width)
        if found != claimed { claims.compare(section.full(name), "'\(word)' (\(claimed))", found) }
    }

    // MARK: Tensors

    private mutating func addTransformer(_ part: String) throws(ModelError) {
        let path = "\(part).transformer"
        let width = "\(part) width"
        let indices = try table.blockIndices(path, least: 6)
        depths[part] = indices.count
        layout.affine("\(part).ln_pre", .of(width))
        layout.affine("\(part).ln_post", .of(width))
        for index in indices {
            let p = "\(path).\(index)."
            layout.affine(p + "ln_1", .of(width))
            layout.add(p + "attn.in_proj_weight", .of(width, times: 3), .of(width))
            layout.add(p + "attn.in_proj_bias", .of(width, times: 3))
            layout.linear(p + "attn.out_proj", .of(width), .of(width))
            layout.affine(p + "ln_2", .of(width))
            layout.linear(p + "mlp.c_fc", .of(width, times: 4), .of(width))
            layout.linear(p + "mlp.c_proj", .of(width), .of(width, times: 4))
        }
    }

    private mutating func addEncoder() throws(ModelError) {
        let width = Dimension.of("encoder width")
        layout.add("latent_tokens", .of("latents"), width)
        layout.add("encoder.class_embedding", 1, width)
        layout.add("encoder.positional_embedding", .of("grid", isSquared: true, plus: 1), width)
        layout.add("encoder.latent_token_positional_embedding", .of("latents"), width)
        layout.add("encoder.patch_embed.weight", width, 3, .of("patch"), .of("patch"))
        layout.add("encoder.patch_embed.bias", width)
        layout.linear("encoder.conv_out", .of("token"), width, pointwise: true)
        try addTransformer("encoder")
    }

    private mutating func addDecoder() throws(ModelError) {
        let width = Dimension.of("decoder width")
        // The name before the authors renamed it.
        let old = "decoder.embedding_positional_embedding"
        let positions = table.has(old) ? old : "decoder.learnable_embedding_positional_embedding"
        layout.add("decoder.condition_positional_embedding", .of("latents"), width)
        layout.add("decoder.class_embedding", 1, width)
        layout.add(positions, .of("side", isSquared: true, plus: 1), width)
        layout.linear("decoder.decoder_embed", width, .of("token"))
        layout.add("decoder.learnable_embedding.weight", .of("proxy codes", plus: 1), width)
        layout.linear("decoder.ffn.0", .of("decoder width", times: 2), width, pointwise: true)
        layout.linear("decoder.ffn.2", .of("proxy codes"), .of("decoder width", times: 2), pointwise: true)
        try addTransformer("decoder")
    }

    private mutating func addQuantizers() {
        layout.add("quantize.embedding", 1, .of("codes"), .of("token"))
        layout.linear("quantize.shared_linear", .of("token"), .of("token"))
        layout.add("pixel_quantize.embedding.weight", .of("proxy codes"), .of("pixel codes width"))
    }

    /// Every stage, and the middle, has as many blocks.
    private mutating func addPixelDecoder() throws(ModelError) {
        let p = "pixel_decoder."
        let groups = ["mid"] + (0..<stages).map { "up.\($0).block" }
        var counts: [Int: Int] = [:]
        for group in groups { counts[try table.blockIndices(p + group, least: 2).count, default: 0] += 1 }
        let most = counts.values.max()
        let blocks = counts.filter { $0.value == most }.keys.max() ?? 0
        let top = Dimension.of("pixel decoder top")
        layout.convolution(p + "conv_in", top, .of("pixel codes width"))
        for block in 0..<blocks { addResidual("\(p)mid.\(block)", top, top) }
        for stage in (0..<stages).reversed() {
            let width = Dimension.of("pixel decoder stage \(stage)")
            for block in 0..<blocks {
                addResidual("\(p)up.\(stage).block.\(block)", block == 0 ? .of(widthBefore(stage)) : width, width)
            }
            if stage > 0 { layout.convolution("\(p)up.\(stage).upsample_conv", width, width) }
        }
        layout.affine(p + "norm_out", .of("pixel decoder stage 0"))
        layout.convolution(p + "conv_out", 3, .of("pixel decoder stage 0"))
    }

    private func widthBefore(_ stage: Int) -> String {
        stage == stages - 1 ? "pixel decoder top" : "pixel decoder stage \(stage + 1)"
    }

    private mutating func addResidual(_ name: String, _ inputs: Dimension, _ outputs: Dimension) {
        layout.affine(name + ".norm1", inputs)
        layout.convolution(name + ".conv1", outputs, inputs, bias: false)
        layout.affine(name + ".norm2", outputs)
        layout.convolution(name + ".conv2", outputs, outputs, bias: false)
    }

    /// A stage's first block has a shortcut of its own where channels change.
    private func addShortcuts(to layout: inout Layout, _ sizes: Sizes) {
        for stage in 0..<stages {
            let width = "pixel decoder stage \(stage)"
            guard sizes[widthBefore(stage)] != sizes[width] else { continue }
            layout.convolution(
                "pixel_decoder.up.\(stage).block.0.nin_shortcut", .of(width), .of(width), kernel: 1, bias: false)
        }
    }
}

extension Sizes {
    /// The encoder's grid and the decoder's follow from each other, and from the image: a cell of the decoder's has 16
    /// pixels each way.
    fileprivate mutating func completeGrid(pixels: Int?) {
        let patch = values["patch"] ?? 16
        let size = values["grid"].map { $0 * patch } ?? values["side"].map { $0 * 16 } ?? pixels
        guard let size else { return }
        if values["grid"] == nil { values["grid"] = size / patch }
        if values["side"] == nil { values["side"] = size / 16 }
    }
}
