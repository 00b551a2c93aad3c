import Foundation
import TokenizerCore

// Other models in place of those that are served, without a gap: a thread of its own loads them, the engine's thread
// sends an image through each between batches, then they are what new requests get. Requests that are under way hold
// their generation, and the last one to let go of it ends it.

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

extension Engine {
    /// One reload, from its begin to its end.
    struct Reload {
        let loader: Loader
        let whenDiscarded: @Sendable () -> Void
        let completion: @Sendable (Result<Void, ReloadFailure>) -> Void
        var hasBegun = false
        /// Loaded, on its way to the engine's thread.
        var loaded: Handover?
    }

    /// `@unchecked Sendable`: loaded on one thread, which keeps nothing of it, and used on another from then on.
    struct Handover: @unchecked Sendable {
        let models: [(id: String, tokenizer: any Tokenizer)]
    }

    /// What the thread owns.
    struct Stock {
        let lanes: Lanes
        /// By generation and id.
        var tokenizers: [Int: [String: any Tokenizer]] = [:]
        var candidate: Candidate?
        var latest = 0
        var whenDiscarded: @Sendable () -> Void = {}
    }

    /// Loaded models, of which the first `warm` have had their image.
    struct Candidate {
        let models: [(id: String, tokenizer: any Tokenizer)]
        var warm = 0

        var isWarm: Bool { warm == models.count }
    }

    /// Replaces all models by what `loader` gives. State and heartbeat are as ever meanwhile. Loading begins when nobody
    /// needs the models of an earlier reload, so that no more than two generations are in memory.
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

    /// Nothing where there is no reload, or it has begun, or earlier models are still needed.
    private func beginLoading(stackBytes: Int = 16 << 20) {
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
                let loaded = Handover(models: try loader())
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

    private func letGo(_ number: Int) {
        unused.withLock { $0.append(number) }
        wake.signal()
    }

    // MARK: - On the engine's thread

    /// Makes a generation of what has been loaded.
    func take(_ loaded: [(id: String, tokenizer: any Tokenizer)], into stock: inout Stock) -> [Model] {
        stock.latest += 1
        stock.tokenizers[stock.latest] = Dictionary(loaded) { first, _ in first }
        let generation = Generation(number: stock.latest) { [weak self] in self?.letGo($0) }
        return loaded.map { Model(id: $0.id, contract: $0.tokenizer.contract, generation: generation) }
    }

    /// What comes between two batches: at most one image's work.
    func doErrand(_ stock: inout Stock) {
        discardUnused(&stock)
        adoptLoaded(&stock)
        if state != .ready { stock.candidate = nil }
        guard let isWarm = stock.candidate?.isWarm else { return }
        if isWarm { return install(&stock) }
        beat(running: 0)
        let failure = warmUpNext(&stock)
        beat(running: 0)
        if let failure { endReload(.failure(.failed(failure))) }
    }

    private func adoptLoaded(_ stock: inout Stock) {
        let loaded = shared.withLock { shared in
            defer { shared.reload?.loaded = nil }
            return shared.reload?.loaded
        }
        if let loaded { stock.candidate = Candidate(models: loaded.models) }
    }

    /// - Returns: why there is no candidate any more.
    private func warmUpNext(_ stock: inout Stock) -> String? {
        guard let candidate = stock.candidate else { return nil }
        let (id, tokenizer) = candidate.models[candidate.warm]
        do {
            try warmUp(tokenizer, stock.lanes)
            stock.candidate?.warm += 1
            return nil
        } catch {
            stock.candidate = nil
            return "\(id): no image goes through it: \(error)"
        }
    }

    /// From here on new requests get them.
    private func install(_ stock: inout Stock) {
        let models = take(stock.candidate?.models ?? [], into: &stock)
        stock.candidate = nil
        // Outlive the lock: with them their generation may end.
        let (earlier, whenDiscarded) = shared.withLock { shared in
            defer { shared.models = models }
            shared.generations.insert(stock.latest)
            return (shared.models, shared.reload?.whenDiscarded)
        }
        if let whenDiscarded { stock.whenDiscarded = whenDiscarded }
        endReload(.success(()))
        withExtendedLifetime(earlier) {}
    }

    private func discardUnused(_ stock: inout Stock) {
        let numbers = unused.withLock { numbers in
            defer { numbers = [] }
            return numbers
        }
        guard !numbers.isEmpty else { return }
        for number in numbers { stock.tokenizers[number] = nil }
        shared.withLock { $0.generations.subtract(numbers) }
        stock.whenDiscarded()
        beginLoading()
    }
}
