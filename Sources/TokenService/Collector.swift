import Synchronization

/// Gathers what comes of a request's images, from any threads and in any order.
final class Collector<Value: Sendable>: Sendable {
    private struct State {
        var results: [Result<Value, ServiceError>?]
        var missing: Int
    }

    private let state: Mutex<State>
    private let whenComplete: @Sendable ([Result<Value, ServiceError>]) -> Void

    /// - Parameter count: at least 1.
    init(count: Int, whenComplete: @escaping @Sendable ([Result<Value, ServiceError>]) -> Void) {
        state = Mutex(State(results: Array(repeating: nil, count: count), missing: count))
        self.whenComplete = whenComplete
    }

    /// Each index once; the last one runs `whenComplete` on its thread.
    func put(_ result: Result<Value, ServiceError>, at index: Int) {
        let results: [Result<Value, ServiceError>]? = state.withLock { state in
            guard state.results[index] == nil else { return nil }
            state.results[index] = result
            state.missing -= 1
            return state.missing == 0 ? state.results.compactMap { $0 } : nil
        }
        if let results { whenComplete(results) }
    }
}

/// What ends a request as a whole: the only image's error, or one that is no image's fault.
func wholeError<Value>(of results: [Result<Value, ServiceError>]) -> ServiceError? {
    for case .failure(let error) in results where results.count == 1 || error.status >= 499 { return error }
    return nil
}

/// What an answer that lists its items says of them all: items may fail in it one by one.
struct ListOutcome: Equatable {
    /// 200 where an item succeeded. Where all failed, the status that they have in common, or 422.
    let status: Int
    /// The code that all failed with, if it is one; `nil` where an item succeeded.
    let code: String?

    init<Value>(of results: [Result<Value, ServiceError>]) {
        var failures: [ServiceError] = []
        for case .failure(let error) in results { failures.append(error) }
        guard let first = failures.first, failures.count == results.count else {
            (status, code) = (200, nil)
            return
        }
        status = failures.allSatisfy { $0.status == first.status } ? first.status : 422
        code = failures.allSatisfy { $0.code == first.code } ? first.code : nil
    }
}

/// All values, for answers that have no place for an item's error.
///
/// - Throws: the first error, naming its index.
func allValues<Value>(
    of results: [Result<Value, ServiceError>], in name: String
) throws(ServiceError) -> [Value] {
    var values: [Value] = []
    for (index, result) in results.enumerated() {
        switch result {
        case .success(let value): values.append(value)
        case .failure(let error):
            var whole = error.placed(name, index)
            whole.status = 422
            throw whole
        }
    }
    return values
}
