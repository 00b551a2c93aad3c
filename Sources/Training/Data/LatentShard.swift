import Checkpoint
import FilePaths
import JSON

/// A shard of a latent cache, mapped into memory: "latents" float32 (n, C, H, W), "picture" int32 (n), and which
/// images of its share of the squares were skipped.
final class LatentShard: @unchecked Sendable {
    // Unchecked because the compiler can't see that the mapping is never written to.

    let count: Int
    /// C, H, W.
    let shape: [Int]
    let skipped: [SkippedPicture]
    /// `count` times C * H * W numbers, aligned to 4 bytes.
    let latents: UnsafeBufferPointer<Float>
    /// By latent: number of the image in the list.
    let pictures: UnsafeBufferPointer<Int32>
    /// Owns what the buffers point to.
    private let file: CheckpointFile

    /// Throws what is wrong with the file; one that is cut short or isn't a shard included.
    init(path: String) throws(TrainingError) {
        let file: CheckpointFile
        let latents: TensorInfo
        let pictures: TensorInfo
        do {
            file = try CheckpointFile(path: path)
            latents = try file.info("latents")
            pictures = try file.info("picture")
        } catch {
            throw TrainingError(error.description)
        }
        guard file.names.count == 2, latents.type == .float32, pictures.type == .int32, latents.shape.count == 4,
            pictures.shape == [latents.shape[0]]
        else {
            throw TrainingError(
                "\(path): expected float32 latents (n, C, H, W) and int32 picture (n), found \(latents.type) "
                    + "\(latents.shape) and \(pictures.type) \(pictures.shape)")
        }
        guard let skipped = Self.skipped(file.metadata["skipped"]) else {
            throw TrainingError("\(path): metadata 'skipped' is not a list of pairs of path and reason")
        }
        count = latents.shape[0]
        shape = Array(latents.shape[1...])
        self.skipped = skipped
        guard let lentLatents = try? file.lent("latents"), let lentPictures = try? file.lent("picture") else {
            throw TrainingError(
                "\(path): its tensors are not aligned to their numbers' size; expected this cache's own")
        }
        self.file = file
        self.latents = lentLatents.bindMemory(to: Float.self)
        self.pictures = lentPictures.bindMemory(to: Int32.self)
    }

    /// Writes a shard; whole or not at all.
    static func write(
        latents: [Float], shape: [Int], pictures: [Int32], skipped: [SkippedPicture], to path: String
    ) throws(FileWriteError) {
        let pairs = skipped.map { JSONValue([$0.path.description, $0.reason]) }
        try SafetensorsWriter.write(
            [
                NewTensor(name: "latents", shape: [pictures.count] + shape, values: .float32(latents)),
                NewTensor(name: "picture", shape: [pictures.count], values: .int32(pictures)),
            ], metadata: ["skipped": JSONValue.array(pairs).description], to: path)
    }

    private static func skipped(_ text: String?) -> [SkippedPicture]? {
        guard let text, let pairs = (try? JSONValue.parse(Array(text.utf8)))?.arrayValue else { return nil }
        let skipped = pairs.compactMap { pair -> SkippedPicture? in
            guard let path = pair[0]?.stringValue, let reason = pair[1]?.stringValue else { return nil }
            return SkippedPicture(path: Path(path), reason: reason)
        }
        return skipped.count == pairs.count ? skipped : nil
    }
}
