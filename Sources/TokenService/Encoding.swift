import Batching
import ImageInput
import TokenizerCore

/// The way of a request's pictures to tokens: prepared on preprocessing threads, encoded on the engine's.
struct Encoding: Sendable {
    let service: TokenService
    let context: RequestContext
    let model: Engine.Model
    let parameters: EncodeParameters
    let body: PictureBody

    /// - Parameter finish: makes the answer on a preprocessing thread; one result for each picture, unless what failed
    ///   ends the request as a whole.
    func start(
        finish: @escaping @Sendable ([Result<EncodedImage, ServiceError>]) throws(ServiceError) -> Void
    ) throws(ServiceError) {
        let count = body.count
        try context.admit(count, of: WorkKind(.encode, model: model.id), service.admission)
        let collector = Collector<EncodedImage>(count: count) { results in
            service.workers.run(urgent: true) {
                context.attempt { () throws(ServiceError) in
                    if let error = wholeError(of: results) { throw error }
                    try finish(results)
                }
            }
        }
        if count == 1 { return encode(0, collector) }
        for index in 0..<count { service.workers.run { encode(index, collector) } }
    }

    private func encode(_ index: Int, _ collector: Collector<EncodedImage>) {
        do throws(ServiceError) {
            let picture = try prepared(index)
            let work = Job.Work.encode(picture.image, parameters.encode)
            service.run(work, on: model, for: context) { outcome in
                let result = outcome.flatMap { output -> Result<EncodedImage, ServiceError> in
                    guard case .tokens(let tokens) = output else { return .failure(.mixedUp) }
                    return .success(EncodedImage(source: picture.source, tokens: tokens))
                }
                collector.put(result, at: index)
            }
        } catch {
            context.finishedOne()
            collector.put(.failure(error), at: index)
        }
    }

    private func prepared(_ index: Int) throws(ServiceError) -> PreparedPicture {
        try context.checkAlive()
        return try context.timed(\.preprocess) { () throws(ServiceError) in
            try service.prepare(body, index, options: parameters.picture, for: model)
        }
    }
}
