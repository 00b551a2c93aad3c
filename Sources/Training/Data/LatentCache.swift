import Checkpoint
import FilePaths
import ImageInput
import Models
import TokenizerCore

/// What makes latents out of squares: a VAE's encoder.
package protocol LatentSource: AnyObject {
    /// Of a latent.
    var channels: Int { get }
    var height: Int { get }
    var width: Int { get }
    /// The same for the same weights.
    var fingerprint: String { get }
    var preprocessing: Preprocessing { get }
    /// The latent of a square of `preprocessing.size` in (channels, height, width) order.
    func latent(of image: RGBImage) throws -> [Float]
}

extension LatentEncoder: LatentSource {}

/// A folder of latents in shards, made once: `manifest.json`, `00000.safetensors`, … (see `LatentShard`). Shard k holds
/// the plan's squares from k * shard size on, but for those whose image can't be read.
///
/// Each file is written whole or not at all, so that a process that is killed at any time goes on after the last
/// whole shard, to the same bytes.
package struct LatentCache {
    private let folder: String
    private let plan: CropPlan
    private let source: any LatentSource
    private let limits: ImageLimits
    private let shardSize: Int
    private let progress: (Int, Int) -> Void
    private let report: (Path, String) -> Void

    /// Squares that are decoded while as many before them are encoded.
    private static let partSize = 16

    /// Makes what is missing of the cache. The source is called on the calling thread, images are decoded beside it.
    ///
    /// - Parameters:
    ///   - folder: made if it isn't there.
    ///   - shardSize: squares a shard, at least 1.
    ///   - progress: squares done and squares in all; first with those of an earlier run.
    ///   - skipped: an image's path and why it can't be read, once for each, those of an earlier run included.
    /// - Returns: latents in the cache.
    /// - Throws: `TrainingError` where the folder holds another cache, or no image can be read; `FileWriteError`;
    ///   what the source throws.
    @discardableResult
    package static func build(
        in folder: String, plan: CropPlan, source: any LatentSource, limits: ImageLimits = ImageLimits(),
        shardSize: Int = 256, progress: (_ done: Int, _ total: Int) -> Void = { _, _ in },
        skipped: (_ path: Path, _ reason: String) -> Void = { _, _ in }
    ) throws -> Int {
        precondition(shardSize > 0 && plan.preprocessing == source.preprocessing)
        return try withoutActuallyEscaping(progress) { progress in
            try withoutActuallyEscaping(skipped) { skipped in
                try LatentCache(
                    folder: folder, plan: plan, source: source, limits: limits, shardSize: shardSize,
                    progress: progress, report: skipped
                ).build()
            }
        }
    }

    private func build() throws -> Int {
        try openFolder()
        var state = BuildState()
        for picture in plan.skipped { tell(picture, &state) }
        var missing: [Int] = []
        for shard in 0..<(plan.count + shardSize - 1) / shardSize {
            if let found = existing(shard) {
                state.done += squares(of: shard).count
                state.latents += found.count
                for picture in found.skipped { tell(picture, &state) }
            } else {
                missing.append(shard)
            }
        }
        progress(state.done, plan.count)
        try fill(missing, &state)
        guard state.latents > 0 else {
            let first = state.first.map { "; \($0.path): \($0.reason)" } ?? ""
            throw TrainingError("none of the \(plan.pictures.count) pictures can be read\(first)")
        }
        return state.latents
    }

    /// Computes and writes shards.
    private func fill(_ shards: [Int], _ state: inout BuildState) throws {
        let parts = shards.flatMap { shard in
            let squares = squares(of: shard)
            return stride(from: squares.lowerBound, to: squares.upperBound, by: Self.partSize).map {
                $0..<min($0 + Self.partSize, squares.upperBound)
            }
        }
        let reader = SquareReader(plan, limits: limits)
        defer { reader.drain() }
        var ahead = parts.first.map(reader.start)
        var draft = ShardDraft()
        for (index, part) in parts.enumerated() {
            let squares = ahead?.take() ?? []
            ahead = index + 1 < parts.count ? reader.start(parts[index + 1]) : nil
            for square in squares {
                try add(square, to: &draft, &state)
                state.done += 1
                progress(state.done, plan.count)
            }
            let shard = part.lowerBound / shardSize
            guard part.upperBound == self.squares(of: shard).upperBound else { continue }
            try LatentShard.write(
                latents: draft.latents, shape: shape, pictures: draft.pictures, skipped: draft.skipped,
                to: CacheManifest.shardPath(shard, in: folder))
            state.latents += draft.pictures.count
            draft = ShardDraft()
        }
    }

    private func add(_ square: PlannedSquare, to draft: inout ShardDraft, _ state: inout BuildState) throws {
        let path = plan.pictures[square.picture]
        switch square.image {
        case .success(let image):
            let latent = try source.latent(of: image)
            precondition(latent.count == shape.reduce(1, *))
            guard latent.allSatisfy(\.isFinite) else {
                throw TrainingError("\(path): the VAE's latent holds numbers that are not finite")
            }
            draft.latents += latent
            draft.pictures.append(Int32(clamping: square.picture))
        case .failure(let error):
            let skipped = SkippedPicture(path: path, reason: error.description)
            if !draft.skipped.contains(where: { $0.path == path }) { draft.skipped.append(skipped) }
            tell(skipped, &state)
        }
    }

    private var shape: [Int] { [source.channels, source.height, source.width] }

    private func squares(of shard: Int) -> Range<Int> {
        let start = shard * shardSize
        return start..<start + min(shardSize, plan.count - start)
    }

    private func tell(_ picture: SkippedPicture, _ state: inout BuildState) {
        guard state.told.insert(picture.path).inserted else { return }
        if state.first == nil { state.first = picture }
        report(picture.path, picture.reason)
    }

    /// A shard of an earlier run, unless it is damaged or isn't what the plan says.
    private func existing(_ shard: Int) -> LatentShard? {
        guard let found = try? LatentShard(path: CacheManifest.shardPath(shard, in: folder)), found.shape == shape
        else {
            return nil
        }
        let skipped = Set(found.skipped.map(\.path))
        let expected = squares(of: shard).lazy.map { plan.square($0).picture }
            .filter { !skipped.contains(plan.pictures[$0]) }.map { Int32(clamping: $0) }
        return found.pictures.elementsEqual(expected) ? found : nil
    }

    /// Makes the folder and its manifest, or checks the manifest that is there.
    private func openFolder() throws {
        try WritableFolder.make(folder)
        let manifest = CacheManifest(folder: folder, plan: plan, source: source, shardSize: shardSize)
        if Path(manifest.path).exists {
            return try manifest.requireEqual(CacheManifest(folder: folder))
        }
        guard !Path(CacheManifest.shardPath(0, in: folder)).exists else {
            throw TrainingError(
                "\(folder): holds shards without manifest.json, which would tell what they are; use another folder")
        }
        try manifest.write()
    }
}

private struct BuildState {
    var done = 0
    var latents = 0
    /// Paths that have been reported.
    var told: Set<Path> = []
    var first: SkippedPicture?
}

private struct ShardDraft {
    var latents: [Float] = []
    var pictures: [Int32] = []
    var skipped: [SkippedPicture] = []
}
