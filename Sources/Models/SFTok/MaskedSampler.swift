import Glibc
import Tensor

/// How a multi-step reconstruction runs.
package struct Sampling: Sendable {
    /// Passes of the decoder, at least 1.
    package var steps: Int
    /// Noise at the first step; it falls linearly to 0 at the last.
    package var temperature: Float
    /// `softmax_temperature_annealing`: divides logits by 0.5 + 0.8 (1 - step / steps).
    package var annealing: Bool
    package var seed: UInt64

    package init(steps: Int, temperature: Float, annealing: Bool = false, seed: UInt64 = 0) {
        self.steps = steps
        self.temperature = temperature
        self.annealing = annealing
        self.seed = seed
    }
}

/// MaskGIT's loop as SFTok runs it (arXiv 2512.16910, section 3): in each step every masked position picks a code, and
/// the least confident picks are masked again.
package struct MaskedSampler {
    private let sampling: Sampling
    private let maskID: Int32
    private var generator: TorchGenerator

    package init(_ sampling: Sampling, maskID: Int32) {
        self.sampling = sampling
        self.maskID = maskID
        generator = TorchGenerator(seed: sampling.seed)
    }

    /// What a step decides on, before it is applied.
    package struct Decision {
        /// Noisy logits (positions that were chosen, codes), whose largest is picked.
        package let candidates: Plane
        /// A code for every position: the one it has, where it isn't masked.
        package let picks: [Int32]
        /// How sure each pick is; infinite where the position had its code already. Empty at the last step.
        package let confidences: [Float]
        /// The confidence up to which positions are masked again; nothing is at the last step.
        package let cut: Float
        let maskID: Int32

        /// Ids after the step.
        package var ids: [Int32] {
            confidences.isEmpty ? picks : zip(picks, confidences).map { $1 <= cut ? maskID : $0 }
        }
    }

    /// Step `step` (0 ..< steps) from `ids`. `logits` (chosen.count, codes) are overwritten.
    ///
    /// - Parameter chosen: positions of the logits, all masked ones among them; `nil`: all.
    ///
    /// The authors draw noise for logits laid out (code, position), then for confidences; at the last step it is scaled
    /// by zero, so nothing is drawn here.
    package mutating func decide(
        _ ids: [Int32], step: Int, logits: Plane, of chosen: [Int]? = nil, _ pool: ScratchPool
    ) -> Decision {
        let chosen = chosen ?? Array(ids.indices)
        let ratio = Double(step + 1) / Double(sampling.steps)
        let noise = Float(Double(sampling.temperature) * (1 - ratio))
        if sampling.annealing { divide(logits, by: Float(0.5 + 0.8 * (1 - ratio))) }
        let candidates =
            noise > 0 ? noisy(logits, of: chosen, among: ids.count, scale: noise, pool) : logits
        var picks = ids
        var scores = [Float](repeating: .infinity, count: ids.count)
        for (row, (position, pick)) in zip(chosen, candidates.argmaxOfRows()).enumerated()
        where ids[position] == maskID {
            picks[position] = pick
            scores[position] = logits.data[row * logits.channels + Int(pick)]
        }
        if step == sampling.steps - 1 {
            return Decision(candidates: candidates, picks: picks, confidences: [], cut: -.infinity, maskID: maskID)
        }
        let confidences = pool.plane(1, 1, scores.count, scores)
        if noise > 0 { confidences.addGumbel(uniforms: generator.uniforms(scores.count), scale: noise) }
        let values = confidences.values
        return Decision(
            candidates: candidates, picks: picks, confidences: values,
            cut: values.sorted()[masked(ids, ratio: ratio) - 1], maskID: maskID)
    }

    /// Positions to mask again: the cosine schedule, at least 1 and fewer than are masked now.
    private func masked(_ ids: [Int32], ratio: Double) -> Int {
        let now = ids.count { $0 == maskID }
        let wanted = Int((Double(ids.count) * acos(ratio) / (Double.pi * 0.5)).rounded(.down))
        return max(1, min(now - 1, wanted))
    }

    private mutating func noisy(
        _ logits: Plane, of chosen: [Int], among positions: Int, scale: Float, _ pool: ScratchPool
    ) -> Plane {
        let noisy = pool.plane(logits.rows, 1, logits.channels)
        noisy.data.update(from: logits.data, count: logits.count)
        noisy.addGumbel(uniforms: uniforms(of: chosen, among: positions, codes: logits.channels), scale: scale)
        return noisy
    }

    /// Uniforms of some positions in (position, code) order; those of all are drawn, in (code, position) order.
    private mutating func uniforms(of chosen: [Int], among positions: Int, codes: Int) -> [Float] {
        let drawn = generator.uniforms(positions * codes)
        return [Float](unsafeUninitializedCapacity: chosen.count * codes) { buffer, filled in
            for (row, position) in chosen.enumerated() {
                for code in 0..<codes { buffer[row * codes + code] = drawn[code * positions + position] }
            }
            filled = chosen.count * codes
        }
    }

    private func divide(_ plane: Plane, by divisor: Float) {
        for index in 0..<plane.count { plane.data[index] /= divisor }
    }
}

extension Plane {
    /// Index of each row's largest value, the first of equals.
    package func argmaxOfRows() -> [Int32] {
        (0..<rows).map { row in
            let start = data + row * channels
            var best = 0
            for index in 1..<channels where start[index] > start[best] { best = index }
            return Int32(best)
        }
    }
}
