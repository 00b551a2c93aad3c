import TokenizerCore

/// The tensors of one half of a DC-AE (arXiv 2410.10733), or of ReVQ's rectifier, which is shaped as a decoder.
///
/// Blocks come in the order in which they are computed. Between two that change the resolution all have as many
/// channels, which are one size here.
struct DCAEHalf {
    enum Part: String {
        case encoder, decoder
    }

    /// How a half changes the resolution: in all of its blocks alike.
    private enum Resampling: String {
        case conv
        case pixelUnshuffle = "pixel_unshuffle"
        case interpolate
        case pixelShuffle = "pixel_shuffle"
    }

    private enum Kind: String {
        case residual = "ResBlock"
        case attention = "EfficientViTBlock"
        case resampling
    }

    private struct Block {
        let stage: Int
        let kind: Kind
        /// Channels that it takes.
        let channels: String
        /// Kernels of its further scales of attention.
        var kernels: [String] = []
    }

    /// A convolution that changes the resolution, with the channels that it must make.
    private struct Resampler {
        let name: String
        let inputs: Dimension
        let outputs: Dimension
    }

    let part: Part
    private let table: TensorTable
    private let prefix: String
    /// Whether the first stage has no blocks, and the image's own convolution changes the resolution instead.
    private let changesAtPicture: Bool
    private(set) var layout = Layout()
    private var blocks: [Block] = []
    private var resamplers: [Resampler] = []
    private var segments = 0

    /// - Parameters:
    ///   - prefix: of all names.
    ///   - latent: channels of the latent.
    ///   - picture: channels on the other side.
    init(
        _ part: Part, _ table: TensorTable, prefix: String, latent: Dimension, picture: Dimension
    ) throws(ModelError) {
        self.part = part
        self.table = table
        self.prefix = prefix
        let (end, path) = part == .encoder ? ("conv_in.", "down_blocks") : ("conv_out.", "up_blocks")
        let (inner, all) = (table.names(under: prefix + end + "conv.").count, table.names(under: prefix + end).count)
        changesAtPicture = inner * 2 == all ? table.names(under: "\(prefix)\(path).0.").isEmpty : inner * 2 > all
        switch part {
        case .encoder: try addEncoder(latent: latent, picture: picture)
        case .decoder: try addDecoder(latent: latent, picture: picture)
        }
    }

    /// How often the resolution is halved or doubled.
    var resamplings: Int { resamplers.count }

    private var channels: String { "\(prefix)channels \(segments)" }
    private var path: String { prefix + (part == .encoder ? "down_blocks" : "up_blocks") }

    private mutating func addEncoder(latent: Dimension, picture: Dimension) throws(ModelError) {
        if changesAtPicture {
            resamplers.append(Resampler(name: prefix + "conv_in.conv", inputs: picture, outputs: .of(channels)))
        } else {
            layout.convolution(prefix + "conv_in", .of(channels), picture)
        }
        let stages = try stages()
        for stage in stages {
            let indices = try table.blockIndices("\(path).\(stage)")
            for index in indices { try addBlock(stage, index) }
            // Each stage but the last one halves at its end.
            let isLast = stage == stages.last
            if !isLast, blocks.last?.stage != stage || blocks.last?.kind != .resampling {
                addResampling(stage, "\(path).\(stage).\(indices.count)")
            }
        }
        layout.convolution(prefix + "conv_out", latent, .of(channels))
    }

    private mutating func addDecoder(latent: Dimension, picture: Dimension) throws(ModelError) {
        layout.convolution(prefix + "conv_in", .of(channels), latent)
        for stage in try stages().reversed() {
            for index in try table.blockIndices("\(path).\(stage)") { try addBlock(stage, index) }
        }
        layout.affine(prefix + "norm_out", .of(channels))
        if changesAtPicture {
            resamplers.append(Resampler(name: prefix + "conv_out.conv", inputs: .of(channels), outputs: picture))
        } else {
            layout.convolution(prefix + "conv_out", picture, .of(channels))
        }
    }

    private func stages() throws(ModelError) -> [Int] {
        try table.blockIndices(path, from: changesAtPicture ? 1 : 0)
    }

    private mutating func addBlock(_ stage: Int, _ index: Int) throws(ModelError) {
        let name = "\(path).\(stage).\(index)"
        switch try kind(name) {
        case .resampling: addResampling(stage, name)
        case .residual: addResidual(stage, name)
        case .attention: addAttention(stage, name)
        }
    }

    /// What most of the names under this one are of.
    private func kind(_ name: String) throws(ModelError) -> Kind {
        var counts: [Kind: Int] = [:]
        for tensor in table.names(under: name + ".") {
            switch tensor.dropFirst(name.count + 1).prefix(while: { $0 != "." }) {
            case "conv1", "conv2", "norm": counts[.residual, default: 0] += 1
            case "attn", "conv_out": counts[.attention, default: 0] += 1
            case "conv": counts[.resampling, default: 0] += 1
            default: break
            }
        }
        guard let kind = counts.max(by: { ($0.value, $0.key.rawValue) < ($1.value, $1.key.rawValue) })?.key else {
            throw .structure(
                "\(table.path): \(name).*: neither a ResBlock (conv1.weight) "
                    + "nor an EfficientViTBlock (attn.to_q.weight)")
        }
        return kind
    }

    private mutating func addResampling(_ stage: Int, _ name: String) {
        blocks.append(Block(stage: stage, kind: .resampling, channels: channels))
        let inputs = Dimension.of(channels)
        segments += 1
        resamplers.append(Resampler(name: name + ".conv", inputs: inputs, outputs: .of(channels)))
        layout.convolution(name + ".conv", .any, inputs)
    }

    private mutating func addResidual(_ stage: Int, _ name: String) {
        let width = Dimension.of(channels)
        blocks.append(Block(stage: stage, kind: .residual, channels: channels))
        layout.convolution(name + ".conv1", width, width)
        layout.convolution(name + ".conv2", width, width, bias: false)
        layout.affine(name + ".norm", width)
    }

    private mutating func addAttention(_ stage: Int, _ name: String) {
        let (width, attention, gated) = (Dimension.of(channels), name + ".attn", name + ".conv_out")
        let heads = "\(name) heads", half = "\(name) half"
        let kernels = (0..<scales(attention)).map { "\(name) kernel \($0)" }
        blocks.append(Block(stage: stage, kind: .attention, channels: channels, kernels: kernels))
        for part in ["to_q", "to_k", "to_v"] {
            layout.linear("\(attention).\(part)", .of(heads, times: 32), width, bias: false)
        }
        for (index, kernel) in kernels.enumerated() {
            let scale = "\(attention).to_qkv_multiscale.\(index)"
            layout.convolution(scale + ".proj_in", .of(heads, times: 96), 1, kernel: .of(kernel), bias: false)
            layout.convolution(scale + ".proj_out", .of(heads, times: 96), 32, kernel: 1, bias: false)
        }
        layout.linear("\(attention).to_out", width, .of(heads, times: 32 * (1 + kernels.count)), bias: false)
        layout.affine("\(attention).norm_out", width)
        layout.linear(gated + ".conv_inverted", .of(half, times: 2), width, pointwise: true)
        layout.convolution(gated + ".conv_depth", .of(half, times: 2), 1)
        layout.linear(gated + ".conv_point", width, .of(half), pointwise: true, bias: false)
        layout.affine(gated + ".norm", width)
    }

    /// Scales beside the first, by names and by the inputs of `to_out`.
    private func scales(_ attention: String) -> Int {
        let indices = (try? table.blockIndices("\(attention).to_qkv_multiscale")) ?? []
        guard let inputs = table.shapes["\(attention).to_out.weight"]?.last,
            let inner = table.shapes["\(attention).to_q.weight"]?.first, inner > 0, inputs.isMultiple(of: inner)
        else { return indices.count }
        return min(8, max(indices.count, inputs / inner - 1))
    }

    // MARK: Sizes and settings

    /// The whole layout, once sizes tell how the resolution is changed; a setting decides where they don't.
    func complete(_ sizes: Sizes, _ config: ConfigSection, _ claims: inout Claims) throws(ModelError) -> Layout {
        let name = part == .encoder ? "downsample_block_type" : "upsample_block_type"
        let word = try config.word(name)
        let kinds: [Resampling] = part == .encoder ? [.conv, .pixelUnshuffle] : [.interpolate, .pixelShuffle]
        let claimed = word.flatMap { Resampling(rawValue: $0) }.flatMap { kinds.contains($0) ? $0 : nil }
        let votes = kinds.map { kind in
            resamplers.reduce(0) { $0 + support($1, kind, sizes) }
        }
        var kind = votes[0] == votes[1] ? claimed ?? kinds[0] : votes[0] > votes[1] ? kinds[0] : kinds[1]
        if votes[0] + votes[1] == 0 { kind = claimed ?? kinds[0] }
        claims.compare(config.full(name), claimed.map { "'\($0.rawValue)'" }, "'\(kind.rawValue)'")
        let fixed = Set(resamplers.map(\.name))
        var whole = layout.without { name in
            fixed.contains { name == $0 + ".weight" || name == $0 + ".bias" }
        }
        for each in resamplers { whole.convolution(each.name, rows(each, kind), each.inputs) }
        return whole
    }

    private func rows(_ resampler: Resampler, _ kind: Resampling) -> Dimension {
        switch kind {
        case .conv, .interpolate: resampler.outputs
        case .pixelUnshuffle: resampler.outputs.over(4)
        case .pixelShuffle: resampler.outputs.times(4)
        }
    }

    private func support(_ resampler: Resampler, _ kind: Resampling, _ sizes: Sizes) -> Int {
        guard let rows = rows(resampler, kind).value(sizes.values) else { return 0 }
        return [".weight", ".bias"].count { table.shapes[resampler.name + $0]?.first == rows }
    }

    /// Compares what the configuration says of each stage.
    ///
    /// - Parameter p: before the names of settings: "encoder_", or nothing.
    func compare(_ config: ConfigSection, _ p: String, _ sizes: Sizes, _ claims: inout Claims) throws(ModelError) {
        let widths = try config.ints(p + "block_out_channels")
        let depths = try config.ints(p + "layers_per_block")
        let types = try config.words(p + (p.isEmpty ? "block_type" : "block_types"))
        let kernels = try config.intLists(p + "qkv_multiscales")
        let stages = max((blocks.map(\.stage).max() ?? -1) + 1, changesAtPicture ? 1 : 0)
        let all = 0..<stages
        func compare(_ name: String, _ count: Int?, _ claimed: (Int) -> String?, _ actual: (Int) -> String?) {
            let found = all.map { actual($0) ?? claimed($0) ?? "any" }
            let told = (0..<(count ?? stages)).map { claimed($0) ?? "any" }
            claims.compare(
                config.full(p + name), "[\(told.joined(separator: ", "))]", "[\(found.joined(separator: ", "))]")
        }
        func layers(_ stage: Int) -> [Block] { blocks.filter { $0.stage == stage && $0.kind != .resampling } }
        if let widths {
            compare("block_out_channels", widths.count) {
                widths.of($0).map(String.init)
            } _: { stage in
                layers(stage).first.flatMap { sizes[$0.channels] }.map(String.init)
            }
        }
        if let depths {
            compare("layers_per_block", depths.count) {
                depths.of($0).map(String.init)
            } _: {
                "\(layers($0).count)"
            }
        }
        if let types {
            compare(p.isEmpty ? "block_type" : "block_types", types.count) {
                types.of($0).map(Self.known)
            } _: { stage in
                types.of(stage).map(Self.known) == "any" ? "any" : layers(stage).first?.kind.rawValue
            }
        }
        if let kernels {
            compare("qkv_multiscales", kernels.count) {
                kernels.of($0).map { "\($0)" }
            } _: { stage in
                guard let block = layers(stage).first, block.kind == .attention else { return nil }
                return "\(block.kernels.map { sizes[$0] ?? 5 })"
            }
        }
    }

    /// A word of the configuration's own says nothing.
    private static func known(_ word: String) -> String { Kind(rawValue: word) == nil ? "any" : word }

    /// What decides between sizes that as many tensors speak for: kernels, which only their own tensor has.
    func hints(_ config: ConfigSection, _ p: String) throws(ModelError) -> [String: [Int]] {
        let kernels = try config.intLists(p + "qkv_multiscales")
        var hints: [String: [Int]] = [:]
        for block in blocks {
            for (scale, size) in block.kernels.enumerated() {
                let told = kernels?.of(block.stage) ?? []
                hints[size] = (told.indices.contains(scale) ? [told[scale]] : []) + [5]
            }
        }
        return hints
    }
}

/// The tensors of a whole DC-AE.
struct DCAELayout {
    /// What the encoder makes of an image of that size; `nil` where the tensors don't tell it.
    let latent: Extent?
    /// As of `SFTokLayout`.
    let problems: [String]

    /// - Parameters:
    ///   - size: rows and columns of an image.
    ///   - parts: which are checked; the decoder's needs the encoder's.
    init(
        _ table: TensorTable, _ config: ConfigSection, size: Int, parts: [DCAEHalf.Part] = [.encoder, .decoder]
    ) throws(ModelError) {
        var halves: [DCAEHalf] = []
        var joined = Layout()
        var hints = ["latent": [try config.int("latent_channels"), 32].compactMap(\.self)]
        for part in parts {
            let half = try DCAEHalf(part, table, prefix: "\(part.rawValue).", latent: .of("latent"), picture: 3)
            joined.add(half.layout)
            hints.merge(try half.hints(config, "\(part.rawValue)_")) { $1 }
            halves.append(half)
        }
        let sizes = joined.sizes(in: table, hints: hints)
        var claims = Claims(config.path, table)
        claims.compare("in_channels", try config.int("in_channels").map(String.init), "3")
        claims.compare("latent_channels", try config.int("latent_channels"), "latent", sizes)
        var whole = Layout()
        for half in halves {
            whole.add(try half.complete(sizes, config, &claims))
            try half.compare(config, "\(half.part.rawValue)_", sizes, &claims)
        }
        let defects = whole.defects(in: table, sizes.values) { name in
            parts.count > 1 || parts.contains { name.hasPrefix("\($0.rawValue).") }
        }
        problems = defects.map { $0.line(table.path) } + claims.lines
        let side = halves[0].resamplings < 24 ? size >> halves[0].resamplings : 0
        latent = sizes["latent"].flatMap { side > 0 ? Extent(height: side, width: side, channels: $0) : nil }
        if halves.count > 1, side > 0, side << halves[1].resamplings > size {
            throw .structure("\(table.path): decoder.*: makes more than the \(size) rows expected")
        }
    }
}
