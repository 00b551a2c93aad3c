import Checkpoint
import Tensor
import TokenizerCore

/// The encoder half of a DC-AE (arXiv 2410.10733): images of `preprocessing.size` squared -> latents.
/// Belongs to the thread that made it.
package final class LatentEncoder {
    /// Of a latent.
    package var channels: Int { encoder.extent.channels }
    package var height: Int { encoder.extent.height }
    package var width: Int { encoder.extent.width }
    /// SHA-256 over the encoder's tensors and its preprocessing, 64 lowercase hexadecimal digits. The decoder half and
    /// the container don't count.
    package let fingerprint: String
    /// How an image becomes the encoder's input.
    package var preprocessing: Preprocessing { DCAELoading.preprocessing }

    /// The files that it was read from: the configuration and the weights.
    package let files: [String]

    private let encoder: DCAEEncoder
    private let pool = ScratchPool()

    /// Reads `config.json` and the tensors under `encoder.` of `diffusion_pytorch_model.safetensors` in that folder.
    ///
    /// - Parameters:
    ///   - threads: computing threads of the calling thread's work; `nil`: as many as this process may use.
    ///   - checksDecoder: throws what is missing of the decoder half, or wrong with it, as well: a model needs both.
    /// - Throws: `ModelError`, `CheckpointError` or `LibraryError`, each one clear line.
    package init(folder: String, threads: Int? = nil, checksDecoder: Bool = false) throws {
        Compute.setThreads(threads ?? Compute.availableProcessors)
        let vae = try DCAELoading(folder: folder)
        files = [vae.configPath, vae.file.path]
        let problems = try vae.layout(checksDecoder ? [.encoder, .decoder] : [.encoder]).problems
        guard problems.isEmpty else { throw ModelError.defects(problems) }
        encoder = try vae.encoder()
        if checksDecoder {
            _ = try vae.decoder(latent: encoder.extent)
            try vae.scope.requireSound()
        } else {
            try vae.scope.scope("encoder").requireSound()
        }
        fingerprint = try Fingerprint.of(
            vae.file.names.filter { $0.hasPrefix("encoder.") }.map {
                FingerprintedTensor(file: vae.file, name: $0, canonicalName: "vae." + $0)
            },
            settings: Fingerprint.settings(encoder: DCAELoading.preprocessing))
    }

    /// The latent of an image in (channels, height, width) order, not normalised.
    ///
    /// - Precondition: the image has `preprocessing.size` pixels each way.
    package func latent(of image: RGBImage) -> [Float] {
        precondition(image.width == preprocessing.size && image.height == preprocessing.size)
        return encoder(Pixels.plane(image, scale: 2, offset: -1, pool), pool).channelsFirst
    }
}
