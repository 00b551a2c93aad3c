import Checkpoint
import Foundation
import Tensor
import Testing
import TokenizerCore

@testable import Models

/// Down- and upsampling of both kinds, first stages without blocks, and attention over few pixels (its quadratic form)
/// against what the reference computed (`Fixtures/make_variants.py`).
@Suite(.serialized)
struct DCAEVariantTests {
    @Test(arguments: ["shuffle", "mixed", "first"])
    func equalsReference(name: String) throws {
        let golden = try Golden("dcae-variants", in: Golden.fixtures)
        let file = try CheckpointFile(path: Golden.fixtures + "/dcae-variants.safetensors")
        let scope = LayerScope(file: file, .float32).scope(name)
        let image = try golden.image("\(name).image")
        let encoder = try DCAEEncoder(scope.scope("encoder"), size: image.width)
        let decoder = try DCAEDecoder(
            scope.scope("decoder"), latent: encoder.extent,
            result: Extent(height: image.height, width: image.width, channels: 3))
        try scope.requireSound(ignoring: ["image", "latent", "pixels"])
        let pool = ScratchPool()
        let z = encoder(Pixels.plane(image, scale: 2, offset: -1, pool), pool)
        try golden.expectClose(z.channelsFirst, "\(name).latent", within: 1e-5)
        let shape = try golden.shape("\(name).latent")
        let given = pool.plane(
            channelsFirst: try golden.floats("\(name).latent"), shape[0], shape[1], shape[2])
        try golden.expectClose(decoder(given, pool).channelsFirst, "\(name).pixels", within: 1e-5)
    }
}
