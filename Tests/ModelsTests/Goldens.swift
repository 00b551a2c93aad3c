import Foundation
import JSON
import Recipe
import Tensor
import Testing
import TokenizerCore

@testable import Models

/// One golden file: what the reference computed. At most one id in it may differ, of a near tie.
final class Golden {
    private var differences = 0

    let name: String
    private let bytes: Data
    private let header: JSONValue
    private let start: Int

    /// Reads `folder/name.safetensors` on its own, so that the project's reader isn't checked against itself.
    init(_ name: String, in folder: String) throws {
        self.name = name
        bytes = try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\(name).safetensors"))
        start = 8 + bytes[0..<8].enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
        header = try JSONValue.parse(Array(bytes[8..<start]))
    }

    /// Seed of the recipe, from the file's metadata.
    var seed: UInt64 { header["__metadata__"]?["seed"]?.stringValue.flatMap(UInt64.init) ?? 0 }

    private func tensor(_ name: String) throws -> (shape: [Int], data: Data) {
        let entry = try #require(header[name], "golden has no tensor \(name)")
        let shape = try #require(entry["shape"]?.arrayValue).compactMap(\.intValue)
        let offsets = try #require(entry["data_offsets"]?.arrayValue).compactMap(\.intValue)
        return (shape, bytes[start + offsets[0]..<start + offsets[1]])
    }

    private func numbers<T>(_ data: Data, _ type: T.Type) -> [T] {
        [T](unsafeUninitializedCapacity: data.count / MemoryLayout<T>.stride) { buffer, filled in
            filled = data.copyBytes(to: buffer) / MemoryLayout<T>.stride
        }
    }

    static var fixtures: String {
        URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures").path
    }

    func floats(_ name: String) throws -> [Float] { numbers(try tensor(name).data, Float.self) }
    func doubles(_ name: String) throws -> [Double] { numbers(try tensor(name).data, Double.self) }
    func ints(_ name: String) throws -> [Int32] { numbers(try tensor(name).data, Int64.self).map(Int32.init) }
    func shape(_ name: String) throws -> [Int] { try tensor(name).shape }

    func image(_ name: String = "image") throws -> RGBImage {
        let (shape, data) = try tensor(name)
        return RGBImage(width: shape[1], height: shape[0], pixels: Array(data))
    }

    func say(_ text: String) { print("golden \(name): \(text)") }

    /// Largest difference over the golden's largest value.
    func error(_ ours: [Float], _ tensor: String) throws -> Float {
        let expected = try floats(tensor)
        #expect(ours.count == expected.count)
        let difference = zip(ours, expected).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
        return difference / expected.reduce(Float(0)) { max($0, abs($1)) }
    }

    func expectClose(_ ours: [Float], _ tensor: String, within bound: Float) throws {
        let error = try error(ours, tensor)
        say("\(tensor): largest difference / largest value \(error)")
        #expect(error <= bound, "\(tensor)")
    }

    func expectMean(_ ours: [Float], _ tensor: String, within bound: Float) throws {
        let expected = try floats(tensor)
        #expect(ours.count == expected.count)
        let mean = zip(ours, expected).reduce(0.0) { $0 + Double(abs($1.0 - $1.1)) } / Double(expected.count)
        say("\(tensor): mean absolute difference \(mean)")
        #expect(mean <= Double(bound), "\(tensor)")
    }

    /// Every id equal, but for one in the whole golden whose decision's margin is below twice the measured error.
    /// - Parameter excuse: margin and error of the decision at a position, given both ids.
    func expectEqual(
        _ ours: [Int32], _ expected: [Int32], _ what: String,
        excuse: (_ position: Int, _ ours: Int, _ golden: Int) -> (margin: Float, error: Float)
    ) {
        #expect(ours.count == expected.count)
        let different = zip(ours, expected).enumerated().filter { $0.element.0 != $0.element.1 }
        say("\(what): \(ours.count - different.count) of \(ours.count) equal")
        differences += different.count
        #expect(differences <= 1, "\(what): \(differences) ids of this golden differ")
        for (position, pair) in different.prefix(8) {
            let (margin, error) = excuse(position, Int(pair.0), Int(pair.1))
            say("\(what)[\(position)]: ours \(pair.0), golden \(pair.1), margin \(margin), measured error \(error)")
            #expect(margin < 2 * error, "\(what)[\(position)]")
        }
    }
}

/// The checks of an SFTok model against its golden, for tiny and full sizes.
struct SFTokGolden {
    let golden: Golden
    let model: SFTokModel

    func check() throws {
        try checkEncoding()
        try checkDecoding()
    }

    private func checkEncoding() throws {
        let z = model.features(of: try golden.image())
        try golden.expectClose(z.values, "features", within: 2e-4)
        let shape = try golden.shape("features")
        let theirs = model.pool.plane(shape[0], 1, shape[1], try golden.floats("features"))
        let nearest = model.assign(theirs.copy(model.pool), assignment: .nearest, wantsMargins: true)
        let ours = model.assign(z.copy(model.pool), assignment: .nearest, wantsMargins: true)
        let (mine, reference) = (model.distances(z.copy(model.pool)), model.distances(theirs.copy(model.pool)))
        try golden.expectEqual(ours.ids, golden.ints("tokens_nearest"), "tokens_nearest") { position, a, b in
            decision(mine, reference, position, a, b)
        }
        #expect(nearest.margins?.count == ours.ids.count)
        // Sinkhorn leaves its probabilities in the plane: a decision is a comparison of two of them.
        let ids = mine.sinkhorn()
        _ = reference.sinkhorn()
        #expect(ids == model.assign(z.copy(model.pool), assignment: .sinkhorn, wantsMargins: false).ids)
        try golden.expectEqual(ids, golden.ints("tokens"), "tokens") { position, a, b in
            decision(mine, reference, position, a, b)
        }
    }

    /// How far apart two candidates are at a position, and how far each of them is from the reference's.
    private func decision(_ ours: Plane, _ theirs: Plane, _ row: Int, _ a: Int, _ b: Int) -> (Float, Float) {
        let at = row * ours.channels
        let error = max(abs(ours.data[at + a] - theirs.data[at + a]), abs(ours.data[at + b] - theirs.data[at + b]))
        return (abs(ours.data[at + a] - ours.data[at + b]), error)
    }

    private func checkDecoding() throws {
        let tokens = try golden.ints("tokens")
        let condition = model.condition(tokens)
        let first = model.logits(model.blankIDs, condition: condition)
        try golden.expectClose(first.values, "first_logits", within: 1e-3)
        let error = zip(first.values, try golden.floats("first_logits")).reduce(Float(0)) { max($0, abs($1.0 - $1.1)) }
        for (name, sampling) in [
            ("quiet", Sampling(steps: 8, temperature: 0)), ("four_steps", Sampling(steps: 4, temperature: 0)),
            ("noisy", Sampling(steps: 8, temperature: 1, seed: 7)),
        ] {
            try checkSteps(name, sampling, condition: condition, error: error)
            let pixels = model.pixels(of: model.generate(tokens, sampling)).channelsFirst
            try golden.expectMean(pixels, "\(name).pixels", within: 1e-3)
        }
    }

    /// Each step from the golden's ids of the step before.
    private func checkSteps(_ name: String, _ sampling: Sampling, condition: Plane, error: Float) throws {
        let codes = try golden.ints("\(name).codes")
        let count = model.blankIDs.count
        var sampler = model.sampler(sampling)
        var ids = model.blankIDs
        var ours: [Int32] = []
        var decisions: [MaskedSampler.Decision] = []
        for step in 0..<sampling.steps {
            let logits = model.logits(ids, condition: condition)
            let decision = sampler.decide(ids, step: step, logits: logits, model.pool)
            ours += decision.ids
            decisions.append(decision)
            ids = Array(codes[step * count..<(step + 1) * count])
        }
        golden.expectEqual(ours, codes, "\(name).codes") { position, a, b in
            (margin(decisions[position / count], position % count, a, b), error)
        }
    }
}

/// How close the choice between two ids was: between two codes by their candidates, between a code and the mask by the
/// confidence's distance from the cut.
private func margin(_ decision: MaskedSampler.Decision, _ position: Int, _ a: Int, _ b: Int) -> Float {
    let codes = decision.candidates.channels
    if a < codes, b < codes {
        let row = decision.candidates.data + position * codes
        return abs(row[a] - row[b])
    }
    let confidence = decision.confidences[position]
    if confidence > decision.cut { return confidence - decision.cut }
    let next = decision.confidences.filter { $0 > decision.cut }.min() ?? .infinity
    return next - confidence
}

/// The checks of a ReVQ model against its golden.
struct ReVQGolden {
    let golden: Golden
    let model: ReVQModel

    func check() throws {
        let z = model.latent(of: try golden.image())
        try golden.expectClose(z.channelsFirst, "latent", within: 2e-4)
        let shape = try golden.shape("latent")
        let theirs = model.normalized(
            ScratchPool().plane(channelsFirst: try golden.floats("latent"), shape[0], shape[1], shape[2]))
        let flat = model.normalized(z)
        let found = model.assign(flat)
        let d = flat.count / found.ids.count
        try golden.expectEqual(found.ids, golden.ints("tokens"), "tokens") { position, _, _ in
            let range = position * d..<(position + 1) * d
            let squares = range.reduce(Float(0)) { $0 + (flat[$1] - theirs[$1]) * (flat[$1] - theirs[$1]) }
            return (found.margins[position], squares.squareRoot())
        }
        let tokens = try golden.ints("tokens")
        let rectified = model.rectified(model.dequantized(tokens))
        try golden.expectClose(rectified.channelsFirst, "rectified", within: 2e-4)
        try golden.expectMean(model.pixels(of: rectified).channelsFirst, "pixels", within: 1e-3)
    }
}

extension Plane {
    func copy(_ pool: ScratchPool) -> Plane {
        let copy = pool.plane(height, width, channels)
        copy.data.update(from: data, count: count)
        return copy
    }
}

extension ScratchPool {
    func plane(channelsFirst values: [Float], _ channels: Int, _ height: Int, _ width: Int) -> Plane {
        let plane = plane(height, width, channels)
        for pixel in 0..<plane.rows {
            for channel in 0..<channels {
                plane.data[pixel * channels + channel] = values[channel * plane.rows + pixel]
            }
        }
        return plane
    }
}
