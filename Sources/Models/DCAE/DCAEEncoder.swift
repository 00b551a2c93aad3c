import Checkpoint
import Tensor

/// DC-AE's encoder (arXiv 2410.10733): (size, size, 3) in [-1, 1] -> (size / f, size / f, latent channels).
/// Depths, widths and kinds of blocks follow from the tensors' names and shapes.
final class DCAEEncoder {
    private let input: any AutoencoderBlock
    private let blocks: [any AutoencoderBlock]
    private let output: Convolution
    /// Of the latent.
    let extent: Extent

    init(_ scope: LayerScope, size: Int) throws {
        let names = try Self.blockNames(scope)
        let last = try scope.dimensions("conv_out.weight", rank: 4)
        /// Channels that block `index` takes; after the last one, those of conv_out.
        func channels(_ index: Int) throws -> Int {
            index < names.count ? try scope.scope(names[index]).inputChannels() : last[1]
        }
        var extent = Extent(height: size, width: size, channels: 3)
        let first = try channels(0)
        if scope.has("conv_in.conv.weight") {
            input = try DownBlock(scope.scope("conv_in"), extent, outputs: first, shortcut: false)
            extent = Extent(height: size / 2, width: size / 2, channels: first)
        } else {
            input = PlainConvolution(
                try scope.convolution("conv_in", .init(inputs: 3, outputs: first, height: size, width: size)))
            extent.channels = first
        }
        var blocks: [any AutoencoderBlock] = []
        for (index, name) in names.enumerated() {
            let block = scope.scope(name)
            if block.has("conv.weight") {
                guard extent.height % 2 == 0, extent.width % 2 == 0 else {
                    throw ModelError.structure("\(block.prefix)*: can't halve a picture of \(extent.height) rows")
                }
                let next = try channels(index + 1)
                blocks.append(try DownBlock(block, extent, outputs: next, shortcut: true))
                extent = Extent(height: extent.height / 2, width: extent.width / 2, channels: next)
            } else {
                blocks.append(try block.autoencoderBlock(extent))
            }
        }
        self.blocks = blocks
        output = try scope.exact.convolution(
            "conv_out",
            .init(inputs: extent.channels, outputs: last[0], height: extent.height, width: extent.width))
        guard extent.channels % last[0] == 0 else {
            throw ModelError.structure(
                "\(scope.prefix)conv_out.weight: \(extent.channels) channels can't be averaged to \(last[0])")
        }
        self.extent = Extent(height: extent.height, width: extent.width, channels: last[0])
    }

    static func blockNames(_ scope: LayerScope) throws -> [String] {
        try stageIndices(scope, "down_blocks").flatMap { stage in
            try scope.blockIndices("down_blocks.\(stage)").map { "down_blocks.\(stage).\($0)" }
        }
    }

    /// The first stage has no blocks where conv_in or conv_out changes the resolution.
    static func stageIndices(_ scope: LayerScope, _ path: String) throws -> [Int] {
        try scope.blockIndices(path, from: scope.childIndices(path).first == 1 ? 1 : 0)
    }

    func callAsFunction(_ x: Plane, _ pool: ScratchPool) -> Plane {
        var h = input(x, pool)
        for block in blocks { h = block(h, pool) }
        let y = output(h, pool)
        y.addGroupMeans(of: h)
        return y
    }
}

/// A convolution as a block.
final class PlainConvolution: AutoencoderBlock {
    private let convolution: Convolution

    init(_ convolution: Convolution) { self.convolution = convolution }

    func callAsFunction(_ x: Plane, _ pool: ScratchPool) -> Plane { convolution(x, pool) }
}
