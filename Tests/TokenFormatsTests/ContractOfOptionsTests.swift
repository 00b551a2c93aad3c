import ImageInput
import Testing
import TokenizerCore

@testable import TokenFormats

/// Contracts of ids that were made with options: every combination has its own, and the defaults have the model's.
struct ContractOfOptionsTests {
    private static let model = TokenContract(
        architecture: "sftok", tokensPerImage: 4, codebookSize: 16, perPositionCodebooks: false,
        assignments: [.sinkhorn, .nearest], defaultSteps: 8, defaultTemperature: 1,
        preprocessing: Preprocessing(filter: .bicubic), precision: .fp32, fingerprint: "aa", parameters: 1)

    private static var combinations: [EncodeParameters] {
        [Assignment.sinkhorn, .nearest].flatMap { assignment in
            PictureOptions.Orientation.allCases.flatMap { orientation in
                PictureOptions.Alpha.allCases.map { alpha in
                    var parameters = EncodeParameters()
                    parameters.encode.assignment = assignment
                    (parameters.picture.orientation, parameters.picture.alpha) = (orientation, alpha)
                    return parameters
                }
            }
        }
    }

    @Test func eachCombinationHasItsOwn() {
        let all = Self.combinations
        let fingerprints = all.map { $0.contract(of: Self.model).fingerprint }
        #expect(Set(fingerprints).count == all.count && all.count >= 8)
        let defaults = PictureOptions()
        for (parameters, fingerprint) in zip(all, fingerprints) {
            let isDefault =
                parameters.encode.assignment == .sinkhorn && parameters.picture.orientation == defaults.orientation
                && parameters.picture.alpha == defaults.alpha
            #expect((fingerprint == "aa") == isDefault)
            #expect(Self.model.covers(fingerprint))
            var other = Self.model
            other.fingerprint = "ab"
            #expect(!other.covers(fingerprint), "another model's")
        }
        #expect(EncodeParameters().contract(of: Self.model) == Self.model)
        #expect(!Self.model.covers("") && !Self.model.covers("ab"))
    }

    /// What is asked for beside the ids decides none of them.
    @Test func marginsDoNotCount() {
        var parameters = EncodeParameters()
        parameters.encode.wantsMargins = true
        #expect(parameters.contract(of: Self.model) == Self.model)
    }
}
