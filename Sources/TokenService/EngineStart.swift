import Batching
import Models
import TokenizerCore

extension TokenService {
    /// Loads the models on the engine's thread and sends an image through each.
    ///
    /// - Parameters:
    ///   - threads: computing threads; `nil`: as many as this process may use.
    ///   - whenLoaded: called for each model before it is warm.
    ///   - whenSettled: called once with `ready`, or `failed` with one clear line.
    public func start(
        _ sources: [ModelSource], threads: Int? = nil,
        whenLoaded: @escaping @Sendable (ModelDescription) -> Void = { _ in },
        whenSettled: @escaping @Sendable (Engine.State) -> Void = { _ in }
    ) {
        engine.whenSettled(whenSettled)
        engine.start {
            var loaded: [(id: String, tokenizer: any Tokenizer)] = []
            for source in sources {
                guard !loaded.contains(where: { $0.id == source.id }) else {
                    throw ModelError.config("--model \(source.id)=…: the id '\(source.id)' is given twice")
                }
                let model = try ModelLoader.load(source, threads: threads)
                whenLoaded(model.description)
                loaded.append((source.id, model.tokenizer))
            }
            return loaded
        }
    }
}
