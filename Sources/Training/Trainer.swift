import CKernels
import Glibc
import Tensor

/// Normalised latents, by number.
package protocol TrainingLatents: AnyObject {
    /// Numbers of each: channels * height * width, in that order.
    var numbers: Int { get }
    /// Writes latent after latent.
    func gather(_ indices: [Int], into out: UnsafeMutablePointer<Float>)
}

/// Mean squared errors: of latents against their codes, and against rectified codes.
package struct TrainingLosses: Sendable, Equatable {
    package var quantizer = 0.0
    package var rectifier = 0.0

    /// What is minimised.
    package var total: Double { quantizer + rectifier }
}

/// Codebooks and rectifier learning together (arXiv 2507.10547, section 3): the codes towards the latents that chose
/// them, the rectifier from the codes, held still, towards the latents.
///
/// A batch is cut into parts by its size alone, and the parts' gradients are added in order, so that the number of
/// threads changes nothing.
package final class Trainer {
    package let settings: TrainingSettings
    package let codebooks: LearnedCodebooks
    /// `nil`: there is none, and its loss is 0.
    package let rectifier: Rectifier?
    let codeOptimizer: AdamW
    let rectifierOptimizer: AdamW?
    /// Steps done.
    package internal(set) var step = 0

    private let numbers: Int
    private let latents: FloatBuffer
    private let quantized: FloatBuffer
    /// One for each thread of the pool, made when it first works.
    private var spaces: [RectifierWorkspace] = []
    private let partGradients: [PartGradient]

    private final class PartGradient {
        let buffer: FloatBuffer
        init(count: Int) { buffer = FloatBuffer(count: count) }
    }

    private static let parts = 8

    /// - Parameters:
    ///   - settings: whose `tokens` divide the latent's numbers.
    ///   - channels, height, width: of the latent.
    package init(_ settings: TrainingSettings, channels: Int, height: Int, width: Int) {
        self.settings = settings
        numbers = channels * height * width
        precondition(numbers % settings.tokens == 0)
        codebooks = LearnedCodebooks(
            books: settings.isShared ? 1 : settings.tokens, count: settings.codes,
            dimensions: numbers / settings.tokens)
        codeOptimizer = AdamW(count: codebooks.codes.count, decay: 0)
        latents = FloatBuffer(count: settings.batch * numbers)
        quantized = FloatBuffer(count: settings.batch * numbers)
        guard settings.layers > 0 else {
            (rectifier, rectifierOptimizer, partGradients) = (nil, nil, [])
            return
        }
        let shape = RectifierShape(
            channels: channels, height: height, width: width, features: settings.features, layers: settings.layers)
        let rectifier = Rectifier(shape, seed: settings.seed)
        if settings.rectifierStart == .identity { rectifier.startAsIdentity() }
        self.rectifier = rectifier
        rectifierOptimizer = AdamW(count: rectifier.table.count, decay: Float(settings.rectifierDecay))
        partGradients = (0..<Self.parts).map { _ in PartGradient(count: rectifier.table.count) }
    }

    /// One step on these latents, at most `settings.batch`.
    ///
    /// - Parameter progress: share of the run that is done, 0...1; the rate follows from it.
    package func train(_ data: any TrainingLatents, _ batch: [Int], progress: Double) -> TrainingLosses {
        let ids = quantize(data, batch)
        let scale = 2 / Float(batch.count * numbers)
        var losses = TrainingLosses()
        let mean = 1 / Double(batch.count * numbers)
        losses.quantizer = mean * codebooks.learn(latents.data, quantized: quantized.data, ids: ids, scale: scale)
        losses.rectifier = mean * rectify(batch.count, scale: scale)
        step += 1
        let rate = rate(at: progress)
        codeOptimizer.step(
            codebooks.codes.data, codebooks.gradients.data, rate: Float(rate), step: step, limit: settings.clip)
        if let rectifier, let rectifierOptimizer {
            rectifierOptimizer.step(
                rectifier.parameters.data, partGradients[0].buffer.data, rate: Float(rate * settings.rectifierRate),
                step: step, limit: settings.clip)
            rectifier.parametersChanged()
        }
        return losses
    }

    /// The codebooks' learning rate.
    package func rate(at progress: Double) -> Double {
        settings.rate * pow(settings.rateFall, min(max(progress, 0), 1))
    }

    /// Losses over these latents without learning.
    package func validate(_ data: any TrainingLatents, _ indices: [Int]) -> TrainingLosses {
        measure(data, indices).losses
    }

    /// Losses over these latents without learning, and the share of the codes that are some vector's nearest.
    package func measure(_ data: any TrainingLatents, _ indices: [Int]) -> (losses: TrainingLosses, usage: Double) {
        var sums = TrainingLosses()
        var isUsed = [Bool](repeating: false, count: codebooks.books * codebooks.count)
        for first in stride(from: 0, to: indices.count, by: settings.batch) {
            let batch = Array(indices[first..<min(first + settings.batch, indices.count)])
            for (row, id) in quantize(data, batch).enumerated() {
                isUsed[row % codebooks.books * codebooks.count + Int(id)] = true
            }
            for index in 0..<batch.count * numbers {
                let difference = quantized.data[index] - latents.data[index]
                sums.quantizer += Double(difference * difference)
            }
            sums.rectifier += rectify(batch.count, scale: nil)
        }
        let mean = 1 / Double(max(1, indices.count) * numbers)
        return (
            TrainingLosses(quantizer: sums.quantizer * mean, rectifier: sums.rectifier * mean),
            Double(isUsed.count { $0 }) / Double(isUsed.count)
        )
    }

    /// Whether every code and parameter is a finite number.
    var isFinite: Bool {
        codebooks.codes.buffer.allSatisfy(\.isFinite) && (rectifier?.parameters.buffer.allSatisfy(\.isFinite) ?? true)
    }

    private func quantize(_ data: any TrainingLatents, _ batch: [Int]) -> [Int32] {
        precondition(batch.count <= settings.batch && data.numbers == numbers)
        data.gather(batch, into: latents.data)
        return codebooks.assign(latents.data, rows: batch.count * settings.tokens, quantized: quantized.data)
    }

    /// The sum of squares between latents and rectified codes. With `scale`, gradients of `scale / 2` times that are
    /// left in `partGradients[0]`.
    private func rectify(_ images: Int, scale: Float?) -> Double {
        guard let rectifier else { return 0 }
        while spaces.count < Compute.threads { spaces.append(RectifierWorkspace(rectifier.shape)) }
        var sums = [Double](repeating: 0, count: Self.parts)
        let each = (images + Self.parts - 1) / Self.parts
        sums.withUnsafeMutableBufferPointer { sums in
            Compute.parallel(Self.parts) { part in
                let space = spaces[Compute.threadIndex]
                let gradients = partGradients[part].buffer.data
                if scale != nil { gradients.update(repeating: 0, count: rectifier.table.count) }
                for image in min(images, part * each)..<min(images, (part + 1) * each) {
                    sums[part] += rectify(image, rectifier, space, scale: scale, gradients)
                }
            }
        }
        if scale != nil {
            sumGradients(partGradients.map { $0.buffer.data }, count: rectifier.table.count)
        }
        return sums.reduce(0, +)
    }

    private func rectify(
        _ image: Int, _ rectifier: Rectifier, _ space: RectifierWorkspace, scale: Float?,
        _ gradients: UnsafeMutablePointer<Float>
    ) -> Double {
        let channels = rectifier.shape.channels, pixels = rectifier.shape.pixels
        let from = quantized.data + image * numbers, wanted = latents.data + image * numbers
        for channel in 0..<channels {
            for pixel in 0..<pixels {
                space.codes[pixel * channels + channel] = from[channel * pixels + pixel]
                space.target[pixel * channels + channel] = wanted[channel * pixels + pixel]
            }
        }
        rectifier.forward(space)
        var sum = 0.0
        for index in 0..<numbers {
            let difference = space.result[index] - space.target[index]
            sum += Double(difference * difference)
            space.resultGradient[index] = (scale ?? 0) * difference
        }
        if scale != nil { rectifier.backward(space, gradients) }
        return sum
    }
}

/// The first becomes the sum of all, added in order.
func sumGradients(_ parts: [UnsafeMutablePointer<Float>], count: Int) {
    let pointers: [UnsafeMutablePointer<Float>?] = parts
    tk_add_parts(pointers, parts.count, count)
}
