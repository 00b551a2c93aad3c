import Dispatch
import Models
import Tensor
import TokenizerCore

/// A model's operations and their inputs, which are made once.
///
/// encode and decode are the whole of it. Stages of SFTok: features (before quantization), passes (all steps of the
/// decoder's transformer), pixels. Of ReVQ: latent (DC-AE's encoder), search, rectifier, pixels (DC-AE's decoder).
final class Workload {
    private let model: any Tokenizer
    private let image: RGBImage
    private let tokens: [Int32]
    private var inputs: [String: Plane] = [:]

    init(_ model: any Tokenizer, _ image: RGBImage) {
        self.model = model
        self.image = image
        tokens = (0..<model.contract.tokensPerImage).map { Int32($0 * 37 % model.contract.codebookSize) }
    }

    /// - Returns: `nil` where the model has no such operation.
    func seconds(_ operation: String) throws -> Double? {
        switch operation {
        case "encode": return try Self.timed { _ = try model.encode(image, options: EncodeOptions()) }
        case "decode": return try Self.timed { _ = try model.decode(tokens, options: DecodeOptions()) }
        default: break
        }
        if let sftok = model as? SFTokModel { return stage(operation, of: sftok) }
        if let revq = model as? ReVQModel { return stage(operation, of: revq) }
        return nil
    }

    private func stage(_ name: String, of model: SFTokModel) -> Double? {
        switch name {
        case "features": return Self.timed { _ = model.features(of: image) }
        case "passes":
            let sampling = Sampling(steps: model.contract.defaultSteps ?? 8, temperature: 1)
            return Self.timed { _ = model.generate(tokens, sampling) }
        case "pixels":
            let kept = input("logits") { model.logits(model.blankIDs, condition: model.condition(tokens)) }
            // They are softmaxed in place.
            let logits = model.pool.plane(kept.height, kept.width, kept.channels)
            logits.data.update(from: kept.data, count: kept.count)
            return Self.timed { _ = model.pixels(of: logits) }
        default: return nil
        }
    }

    private func stage(_ name: String, of model: ReVQModel) -> Double? {
        switch name {
        case "latent": return Self.timed { _ = model.latent(of: image) }
        case "search":
            let latent = input("latent") { model.latent(of: image) }
            return Self.timed { _ = model.assign(model.normalized(latent)) }
        case "rectifier": return Self.timed { _ = model.rectified(model.dequantized(tokens)) }
        case "pixels":
            let latent = input("rectified") { model.rectified(model.dequantized(tokens)) }
            return Self.timed { _ = model.pixels(of: latent) }
        default: return nil
        }
    }

    private func input(_ name: String, _ make: () -> Plane) -> Plane {
        if let plane = inputs[name] { return plane }
        let plane = make()
        inputs[name] = plane
        return plane
    }

    private static func timed(_ body: () throws -> Void) rethrows -> Double {
        let start = DispatchTime.now().uptimeNanoseconds
        try body()
        return Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
    }
}
