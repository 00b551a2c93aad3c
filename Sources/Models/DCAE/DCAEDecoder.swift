import Checkpoint
import Tensor

/// DC-AE's decoder (arXiv 2410.10733): (h, w, latent channels) -> (f h, f w, outputs). ReVQ's rectifier has the same
/// shape with one stage and 32 outputs.
final class DCAEDecoder {
    private let input: Convolution
    private let blocks: [any AutoencoderBlock]
    private let norm: Affine
    private let output: any AutoencoderBlock

    /// - Parameters:
    ///   - latent: what it is given.
    ///   - result: what it must make: an image of 3 channels, or the latent again for a rectifier.
    init(_ scope: LayerScope, latent: Extent, result: Extent) throws {
        let names = try Self.blockNames(scope)
        let width = try scope.dimensions("norm_out.weight", rank: 1)[0]
        func channels(_ index: Int) throws -> Int {
            index < names.count ? try scope.scope(names[index]).inputChannels() : width
        }
        var extent = latent
        extent.channels = try channels(0)
        guard extent.channels % latent.channels == 0 else {
            throw ModelError.structure(
                "\(scope.prefix)conv_in.weight: \(latent.channels) channels can't be repeated to \(extent.channels)")
        }
        input = try scope.convolution(
            "conv_in",
            .init(inputs: latent.channels, outputs: extent.channels, height: latent.height, width: latent.width))
        var blocks: [any AutoencoderBlock] = []
        for (index, name) in names.enumerated() {
            let block = scope.scope(name)
            if block.has("conv.weight") {
                let next = try channels(index + 1)
                guard extent.height * 2 <= result.height else {
                    throw ModelError.structure("\(block.prefix)*: makes more than the \(result.height) rows expected")
                }
                blocks.append(try UpBlock(block, extent, outputs: next, shortcut: true))
                extent = Extent(height: extent.height * 2, width: extent.width * 2, channels: next)
            } else {
                blocks.append(try block.autoencoderBlock(extent))
            }
        }
        self.blocks = blocks
        norm = try scope.affine("norm_out", width: extent.channels)
        if scope.has("conv_out.conv.weight") {
            output = try UpBlock(scope.scope("conv_out"), extent, outputs: result.channels, shortcut: false)
            extent = Extent(height: extent.height * 2, width: extent.width * 2, channels: result.channels)
        } else {
            output = PlainConvolution(
                try scope.convolution(
                    "conv_out",
                    .init(inputs: extent.channels, outputs: result.channels, height: extent.height, width: extent.width)
                ))
            extent.channels = result.channels
        }
        guard extent == result else {
            throw ModelError.structure("\(scope.prefix)*: the blocks make \(extent), expected \(result)")
        }
    }

    /// Stages run from the last to the first.
    static func blockNames(_ scope: LayerScope) throws -> [String] {
        try DCAEEncoder.stageIndices(scope, "up_blocks").reversed().flatMap { stage in
            try scope.blockIndices("up_blocks.\(stage)").map { "up_blocks.\(stage).\($0)" }
        }
    }

    func callAsFunction(_ z: Plane, _ pool: ScratchPool) -> Plane {
        var h = input(z, pool)
        h.addRepeated(z)
        for block in blocks { h = block(h, pool) }
        norm.rmsNorm(inPlace: h, relu: true)
        return output(h, pool)
    }
}
