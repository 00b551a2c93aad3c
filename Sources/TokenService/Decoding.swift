import Batching
import ImageInput
import TokenizerCore

/// A picture, and its PNG file where the answer wants one.
struct DecodedImage: Sendable {
    let image: RGBImage
    let file: [UInt8]
}

/// The way of a request's tokens to pictures: decoded on the engine's thread, made into files on preprocessing threads.
struct Decoding: Sendable {
    let service: TokenService
    let context: RequestContext
    let model: Engine.Model
    let parameters: DecodeParameters
    /// As they came; checked one by one.
    let sequences: [[Int64]]
    let wantsFiles: Bool

    /// - Parameter finish: makes the answer; one result for each sequence, unless what failed ends the request as a whole.
    func start(
        finish: @escaping @Sendable ([Result<DecodedImage, ServiceError>]) throws(ServiceError) -> Void
    ) throws(ServiceError) {
        let kind = WorkKind(.decode, model: model.id, steps: parameters.decode.steps)
        try context.admit(sequences.count, of: kind, service.admission)
        let collector = Collector<DecodedImage>(count: sequences.count) { results in
            context.attempt { () throws(ServiceError) in
                if let error = wholeError(of: results) { throw error }
                try finish(results)
            }
        }
        for index in sequences.indices { decode(index, collector) }
    }

    private func decode(_ index: Int, _ collector: Collector<DecodedImage>) {
        let tokens: [Int32]
        do throws(ServiceError) {
            tokens = try Processing.local(sequences[index], model.contract, in: parameters.idSpace)
        } catch {
            context.finishedOne()
            return collector.put(.failure(error), at: index)
        }
        service.run(.decode(tokens, parameters.decode), on: model, for: context) { outcome in
            service.workers.run(urgent: true) {
                let result = outcome.flatMap { output -> Result<DecodedImage, ServiceError> in
                    guard case .image(let image) = output else { return .failure(.mixedUp) }
                    return .success(encoded(image))
                }
                collector.put(result, at: index)
            }
        }
    }

    private func encoded(_ image: RGBImage) -> DecodedImage {
        guard wantsFiles else { return DecodedImage(image: image, file: []) }
        let start = ContinuousClock.now
        let file = encodePNG(image)
        context.record { $0.postprocess += .now - start }
        return DecodedImage(image: image, file: file)
    }
}
