/// The tensors of a ReVQ checkpoint (arXiv 2507.10547): codebooks, and the rectifier where it has one.
struct ReVQLayout {
    private let table: TensorTable
    private let config: ConfigSection
    private let latent: Extent

    /// Buffers of the authors' quantizer.
    static let buffers: Set<String> = ["quantizer.index_offset", "quantizer.count"]

    /// As of `SFTokLayout`. What is neither the quantizer's nor the rectifier's, as an optimizer's state, isn't looked
    /// at.
    static func problems(
        _ table: TensorTable, _ config: ConfigSection, latent: Extent
    ) throws(ModelError) -> [String] {
        try ReVQLayout(table: table, config: config, latent: latent).problems()
    }

    /// Whether the configuration says that nothing is between codes and decoder.
    static func isIdentity(_ config: ConfigSection) throws(ModelError) -> Bool {
        try config.section("model").section("decoder").word("TYPE") == "identity"
    }

    private func problems() throws(ModelError) -> [String] {
        var claims = Claims(config.path, table)
        let expected = try codebooks(&claims)
        let sizes = ["books": expected[0], "codes": expected[1], "numbers": expected[2]].compactMapValues(\.self)
        var layout = Layout()
        layout.add("quantizer.embeddings", .of("books"), .of("codes"), .of("numbers"))
        var all = sizes
        if try !Self.isIdentity(config) {
            let (rectifier, found) = try rectifier(&claims)
            layout.add(rectifier)
            all.merge(found) { $1 }
        }
        let defects = layout.defects(in: table, all) { name in
            (name.hasPrefix("quantizer.") || name.hasPrefix("decoder.")) && !Self.buffers.contains(name)
        }
        return defects.map { $0.line(table.path) } + claims.lines
    }

    /// Books, codes and numbers of a code: as they are where they cut the latent into tokens, else as they should be.
    private func codebooks(_ claims: inout Claims) throws(ModelError) -> [Int?] {
        let model = try config.section("model")
        let quantizer = try model.section("quantizer")
        let (codes, groups) = (try quantizer.int("num_code"), try quantizer.int("num_group"))
        let tokens = try quantizer.int("tokens_per_data")
        if let size = try model.ints("input_data_size"), let count = size.count {
            let claimed = (0..<count).compactMap { size.of($0) }
            claims.compare(
                model.full("input_data_size"), "\(claimed)", "\([latent.channels, latent.height, latent.width])")
        }
        let name = "quantizer.embeddings"
        if let found = table.shapes[name], found.count == 3, fits(found) {
            let actual =
                [("num_code", codes, found[1]), ("num_group", groups, found[0])]
                + [("tokens_per_data", tokens, latent.count / found[2])]
            for (setting, claimed, actual) in actual {
                claims.compare(quantizer.full(setting), claimed.map(String.init), "\(actual)", witness: name)
            }
            return found
        }
        let found = table.shapes[name] ?? []
        if let tokens, tokens > 0, latent.count % tokens == 0 {
            return [groups ?? tokens, codes, latent.count / tokens]
        }
        if let groups, groups > 1, latent.count % groups == 0 { return [groups, codes, latent.count / groups] }
        guard found.count == 3 else { return [groups, codes, nil] }
        if found[2] > 0, latent.count % found[2] == 0 { return [latent.count / found[2], codes, found[2]] }
        if found[0] > 0, latent.count % found[0] == 0 { return [found[0], codes, latent.count / found[0]] }
        return [nil, codes, nil]
    }

    /// Every released model has a codebook for each token; with one for all, ids mean the same at each position.
    private func fits(_ shape: [Int]) -> Bool {
        guard shape.allSatisfy({ $0 > 0 }), latent.count % shape[2] == 0 else { return false }
        return shape[0] == 1 || shape[0] == latent.count / shape[2]
    }

    private func rectifier(_ claims: inout Claims) throws(ModelError) -> (Layout, [String: Int]) {
        let section = try config.section("model").section("decoder")
        guard !table.names(under: "decoder.").isEmpty || table.global(above: "decoder.conv_in.weight") != nil else {
            let kind = try section.word("TYPE") ?? "dc_ae"
            throw .structure(
                "\(table.path): decoder.conv_in.weight: missing; the rectifier ('\(kind)') is expected to have a DC-AE "
                    + "decoder's tensors")
        }
        return try checkedRectifier(section, &claims)
    }

    private func checkedRectifier(
        _ section: ConfigSection, _ claims: inout Claims
    ) throws(ModelError) -> (Layout, [String: Int]) {
        let channels = latent.channels
        let half = try DCAEHalf(
            .decoder, table, prefix: "decoder.", latent: Dimension(channels), picture: Dimension(channels))
        let sizes = half.layout.sizes(in: table, hints: try half.hints(section, ""))
        for name in ["in_channels", "latent_channels"] {
            claims.compare(section.full(name), try section.int(name).map(String.init), "\(channels)")
        }
        try half.compare(section, "", sizes, &claims)
        return (try half.complete(sizes, section, &claims), sizes.values)
    }
}

/// The tensors of ReVQ's preprocessor: means and deviations of a latent's numbers, in whatever shape.
enum PreprocessorLayout {
    static func problems(_ table: TensorTable, count: Int) -> [String] {
        var layout = Layout()
        for name in ["mean", "std"] {
            let shape = table.shapes[name] ?? []
            let isWhole = shape.reduce(1) { $0.multipliedReportingOverflow(by: $1).partialValue } == count
            layout.add(name, isWhole && !shape.isEmpty ? shape.map { Dimension($0) } : [Dimension(count)])
        }
        return layout.defects(in: table, [:]).map { $0.line(table.path) }
    }
}
