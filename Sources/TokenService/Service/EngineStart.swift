import Batching
import Dispatch
import Models
import TokenizerCore

extension TokenService {
    /// Loads the models on the engine's thread and sends an image through each.
    ///
    /// - Parameters:
    ///   - threads: computing threads; `nil`: as many as this process may use.
    ///   - imagesAtOnce: of a batch, side by side; they divide the threads.
    ///   - whenLoaded: called for each model before it is warm.
    ///   - whenSettled: called once with `ready`, or `failed` with one clear line.
    public func start(
        _ sources: [ModelSource], threads: Int? = nil, imagesAtOnce: Int = 1,
        whenLoaded: @escaping @Sendable (ModelDescription) -> Void = { _ in },
        whenSettled: @escaping @Sendable (Engine.State) -> Void = { _ in }
    ) {
        engine.whenSettled(whenSettled)
        engine.start(Self.loader(sources, threads: threads, imagesAtOnce, whenLoaded: whenLoaded))
    }

    /// Replaces the models by what `sources` hold now, beside the service: requests that are under way are finished by
    /// the models they began with, later ones get the new. Where one can't be loaded or fails its image, all stay.
    ///
    /// A start that is under way is waited for.
    ///
    /// - Parameters:
    ///   - threads, imagesAtOnce: as of `start`.
    ///   - whenLoaded: called for each model before it is warm.
    ///   - completion: once, with a failure where nothing has changed.
    public func reload(
        _ sources: [ModelSource], threads: Int? = nil, imagesAtOnce: Int = 1,
        whenLoaded: @escaping @Sendable (ModelDescription) -> Void = { _ in },
        completion: @escaping @Sendable (Result<Void, ReloadFailure>) -> Void
    ) {
        engine.whenSettled { [self] _ in
            guard !isDraining else { return completion(.failure(.notReady(.draining))) }
            engine.reload(
                Self.loader(sources, threads: threads, imagesAtOnce, whenLoaded: whenLoaded),
                whenDiscarded: { DispatchQueue.global().async { ModelLoader.returnMemory() } },
                completion: { [metrics] result in
                    metrics.reloaded(result)
                    completion(result)
                })
        }
    }

    private static func loader(
        _ sources: [ModelSource], threads: Int?, _ imagesAtOnce: Int,
        whenLoaded: @escaping @Sendable (ModelDescription) -> Void
    ) -> Engine.Loader {
        return {
            var loaded: [(id: String, tokenizer: any Tokenizer)] = []
            for source in sources {
                guard !loaded.contains(where: { $0.id == source.id }) else {
                    throw ModelError.config("--model \(source.id)=…: the id '\(source.id)' is given twice")
                }
                let model = try ModelLoader.load(source, threads: threads, imagesAtOnce: imagesAtOnce)
                whenLoaded(model.description)
                loaded.append((source.id, model.tokenizer))
            }
            return loaded
        }
    }
}
