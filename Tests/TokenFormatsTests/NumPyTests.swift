import Testing

@testable import TokenFormats

/// Arrays as `numpy.load` reads them.
struct NumPyTests {
    private func read(_ array: TextFixtures.Array) throws -> Npy.Integers {
        try Npy.integers(array.file, limit: 100)
    }

    @Test func thereAreArrays() {
        #expect(TextFixtures.arrays("types").count { $0.values != nil } > 100)
        #expect(TextFixtures.arrays("headers").count { $0.values == nil } > 50)
        #expect(TextFixtures.arrays("written").count { $0.values != nil } == 42)
        #expect(TextFixtures.arrays("refused here").count { $0.shape != nil } >= 14)
    }

    /// Types by every name, headers in every form and of every version: what NumPy reads is read, with the same values,
    /// and what it refuses is refused.
    @Test(
        arguments: TextFixtures.arrays("types") + TextFixtures.arrays("headers") + TextFixtures.arrays("written"))
    func readsWhatNumPyReads(_ array: TextFixtures.Array) throws {
        guard let shape = array.shape, let values = array.values else {
            let error = #expect(throws: FormatError.self) { try read(array) }
            #expect(error?.code == "invalid_npy")
            return
        }
        #expect(try read(array) == Npy.Integers(shape: shape, values: values))
    }

    /// NumPy reads these and we don't, on purpose.
    @Test(arguments: TextFixtures.arrays("refused here"))
    func refusesOnPurpose(_ array: TextFixtures.Array) {
        let error = #expect(throws: FormatError.self) { try read(array) }
        #expect(error?.code == "invalid_npy")
    }

    @Test(arguments: [
        ("=i4", "expected 8 for shape [2] of '=i4'"), ("int32", "expected 8 for shape [2] of 'int32'"),
        ("float32", "values of type 'float32', expected integers"), ("O", "values of type 'O', expected integers"),
        ("?", "values of type '?', expected integers"), ("<int32", "values of type '<int32', expected integers"),
    ])
    func namesTheTypeAsItIsWritten(type: String, says: String) {
        let file = Npy.file(type: type, shape: [2], values: [0])
        let error = #expect(throws: FormatError.self) { try Npy.integers(file, limit: 100) }
        #expect(error?.message.contains(says) == true, "\(error?.message ?? "")")
    }
}
