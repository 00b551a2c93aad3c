import TokenFormats

/// What a request's images gave, in their order: each its value or its own error.
struct ImageResults<Value: Sendable>: Sendable {
    let all: [Result<Value, ServiceError>]

    /// Runs `body` for each of 0 ..< `count`: several as tasks beside each other, each of which waits for its turn.
    ///
    /// - Parameter count: at least 1.
    /// - Throws: what fails the request as a whole: the only image's error, or one that is no image's fault.
    init(
        count: Int, _ body: @escaping @Sendable (_ index: Int) async throws(ServiceError) -> Value
    ) async throws(ServiceError) {
        all = count == 1 ? [await Self.result(0, body)] : await Self.results(count, body)
        for case .failure(let error) in all where count == 1 || error.status >= 499 { throw error }
    }

    private static func results(
        _ count: Int, _ body: @escaping @Sendable (Int) async throws(ServiceError) -> Value
    ) async -> [Result<Value, ServiceError>] {
        await withTaskGroup(of: (Int, Result<Value, ServiceError>).self) { group in
            for index in 0..<count { group.addTask { (index, await result(index, body)) } }
            var results: [Result<Value, ServiceError>?] = Array(repeating: nil, count: count)
            for await (index, result) in group { results[index] = result }
            return results.compactMap { $0 }
        }
    }

    private static func result(
        _ index: Int, _ body: (Int) async throws(ServiceError) -> Value
    ) async -> Result<Value, ServiceError> {
        do throws(ServiceError) {
            return .success(try await body(index))
        } catch {
            return .failure(error)
        }
    }

    /// All values, for responses that have no place for an item's error.
    ///
    /// - Throws: the first error, naming its index.
    func values(of name: String) throws(ServiceError) -> [Value] {
        var values: [Value] = []
        for (index, result) in all.enumerated() {
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
}

/// What a response that lists its items says of them all: items may fail in it one by one.
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
