import Foundation
import Synchronization
import TokenizerCore

// Replaces the served models without a gap: a separate thread loads the new ones, the engine's thread sends an image
// through each between batches (EngineLoop.swift), then new requests get them. Requests that are under way keep their
// generation loaded until the last of them ends.

/// Why models weren't replaced. Those that are served stay.
public enum ReloadFailure: Error, Sendable, Equatable, CustomStringConvertible {
    /// The engine isn't `ready`.
    case notReady(Engine.State)
    /// Another reload is under way.
    case busy
    /// The new ones couldn't be loaded, or refused an image: one clear line.
    case failed(String)

    public var description: String {
        switch self {
        case .notReady(let state): "\(state)"
        case .busy: "they are being reloaded"
        case .failed(let message): message
        }
    }
}

/// One reload, from its begin to its end.
struct Reload {
    let loader: Engine.Loader
    let whenDiscarded: @Sendable () -> Void
    let completion: @Sendable (Result<Void, ReloadFailure>) -> Void
    var hasBegun = false
    /// Set when loading has ended, until the engine's thread takes it.
    var loaded: ModelTransfer?
}

/// Carries models from the thread that loaded them to the engine's thread, which takes them once.
final class ModelTransfer: Sendable {
    private let models: Mutex<[(id: String, tokenizer: any Tokenizer)]?>

    /// Loads on the calling thread.
    init(_ loader: Engine.Loader) throws { models = Mutex(try loader()) }

    func take() -> sending [(id: String, tokenizer: any Tokenizer)]? {
        models.withLock { models in
            let taken = models
            models = nil
            return taken
        }
    }
}

extension Engine {
    /// Replaces all models by what `loader` gives. State and heartbeat stay as they are meanwhile. Loading begins when
    /// no request needs the models of an earlier reload, so that no more than two generations are in memory.
    ///
    /// - Parameters:
    ///   - whenDiscarded: on the engine's thread, once earlier models are no longer in memory.
    ///   - completion: once, on any thread: when new requests get the new models, or with why they don't.
    public func reload(
        stackBytes: Int = 16 << 20, _ loader: @escaping Loader, whenDiscarded: @escaping @Sendable () -> Void = {},
        completion: @escaping @Sendable (Result<Void, ReloadFailure>) -> Void
    ) {
        let failure: ReloadFailure? = shared.withLock { shared in
            guard shared.state == .ready else { return .notReady(shared.state) }
            guard shared.reload == nil else { return .busy }
            shared.reload = Reload(loader: loader, whenDiscarded: whenDiscarded, completion: completion)
            return nil
        }
        if let failure { return completion(.failure(failure)) }
        beginLoading(stackBytes: stackBytes)
    }

    /// Does nothing where there is no reload, or it has begun, or earlier models are still needed.
    func beginLoading(stackBytes: Int = 16 << 20) {
        let loader: Loader? = shared.withLock { shared in
            guard shared.state == .ready, shared.reload?.hasBegun == false, shared.generations.count <= 1 else {
                return nil
            }
            shared.reload?.hasBegun = true
            return shared.reload?.loader
        }
        guard let loader else { return }
        let thread = Thread {
            do {
                let loaded = try ModelTransfer(loader)
                self.shared.withLock { $0.reload?.loaded = loaded }
                self.wake.signal()
            } catch {
                self.endReload(.failure(.failed("\(error)")))
            }
        }
        thread.stackSize = stackBytes
        thread.start()
    }

    func endReload(_ result: Result<Void, ReloadFailure>) {
        let ended = shared.withLock { shared in
            defer { shared.reload = nil }
            return shared.reload
        }
        ended?.completion(result)
    }

    /// Has the engine's thread discard a generation's models.
    func generationIsUnused(_ number: Int) {
        unused.withLock { $0.append(number) }
        wake.signal()
    }
}
