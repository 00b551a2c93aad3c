import Recipe
import Tensor
import Testing
import TokenizerCore

@testable import Models

/// bf16 and int8 beside fp32, on what the reference computed in float32.
@Suite(.serialized)
struct PrecisionTests {
    private static let rounded = [Precision.bf16, .int8]
    private static let native = rounded.filter(\.arithmetic.isNative)

    private func load(_ folder: TemporaryModel, _ precision: Precision) throws -> LoadedModel {
        try ModelLoader.load(ModelSource(id: "tiny", folder: folder.path, precision: precision))
    }

    @Test(arguments: rounded) func isPartOfTheContract(precision: Precision) throws {
        let folder = try TemporaryModel.sftok(.tiny)
        let isNative = precision.arithmetic.isNative
        let plain = try load(folder, .fp32).description, rounded = try load(folder, precision).description
        #expect(plain.contract.precision == .fp32)
        #expect(plain.contract == (try ModelLoader.load(ModelSource(id: "x", folder: folder.path)).tokenizer.contract))
        #expect(rounded.contract.precision == (isNative ? precision : .fp32))
        #expect((rounded.contract.fingerprint != plain.contract.fingerprint) == isNative)
        #expect(rounded.warnings.isEmpty == isNative)
    }

    /// Every processor below has the next better one.
    @Test(arguments: [Compute.Level.avx512VNNI, .avx512, .avx2, .sse2], rounded)
    func aProcessorWithoutItComputesInFloat32(level: Compute.Level, precision: Precision) throws {
        guard level.rawValue <= Compute.bestLevel.rawValue else { return }
        let folders = [try TemporaryModel.sftok(.tiny), try .revq(.tiny, latentDeviation: 1)]
        Compute.force(level)
        defer { Compute.force(Compute.bestLevel) }
        let computes = precision == .int8 && level == .avx512VNNI
        for folder in folders {
            let loaded = try load(folder, precision)
            guard !computes else {
                #expect(loaded.tokenizer.contract.precision == .int8 && loaded.description.warnings.isEmpty)
                continue
            }
            #expect(loaded.tokenizer.contract.precision == .fp32)
            #expect(loaded.description.warnings.count == 1)
            let expected = "tiny: precision \(precision.rawValue) needs a processor with"
            #expect(loaded.description.warnings[0].contains(expected))
            #expect(loaded.tokenizer.contract == (try load(folder, .fp32).tokenizer.contract))
        }
    }

    /// A number keeps eight bits; what sums make of that is more, what is normalised after them less.
    @Test(arguments: native) func sftokStaysCloseToFloat32(precision: Precision) throws {
        let golden = try Golden("sftok-tiny", in: Golden.fixtures)
        let folder = try TemporaryModel.sftok(.tiny)
        let model = try #require(try load(folder, precision).tokenizer as? SFTokModel)
        let features = model.features(of: try golden.image())
        let error = try golden.error(features.values, "features")
        #expect(error > 1e-5 && error < 0.05, "\(error)")
        let logits = model.logits(model.blankIDs, condition: model.condition(try golden.ints("tokens")))
        let plain = try #require(try load(folder, .fp32).tokenizer as? SFTokModel)
        let exact = plain.logits(plain.blankIDs, condition: plain.condition(try golden.ints("tokens")))
        let largest = exact.values.reduce(0) { max($0, abs($1)) }
        let difference = zip(logits.values, exact.values).reduce(0) { max($0, abs($1.0 - $1.1)) }
        #expect(difference > 0 && difference < 0.05 * largest, "\(difference) of \(largest)")
    }

    @Test(arguments: native) func revqStaysCloseToFloat32(precision: Precision) throws {
        let golden = try Golden("revq-tiny", in: Golden.fixtures)
        let folder = try TemporaryModel.revq(.tiny, latentDeviation: golden.floats("latent_std")[0])
        let model = try #require(try load(folder, precision).tokenizer as? ReVQModel)
        let exact = try #require(try load(folder, .fp32).tokenizer as? ReVQModel)
        let image = try golden.image()
        let latents = (model.latent(of: image).values, exact.latent(of: image).values)
        let largest = latents.1.reduce(0) { max($0, abs($1)) }
        let difference = zip(latents.0, latents.1).reduce(0) { max($0, abs($1.0 - $1.1)) }
        #expect(difference > 0 && difference < 0.05 * largest, "\(difference) of \(largest)")
        let tokens = try golden.ints("tokens")
        let pictures = try [model, exact].map { try $0.decode(tokens, options: DecodeOptions()) }
        let squares = zip(pictures[0].pixels, pictures[1].pixels).reduce(0.0) {
            $0 + Double((Int($1.0) - Int($1.1)) * (Int($1.0) - Int($1.1)))
        }
        // 40 dB.
        #expect(squares / Double(pictures[0].pixels.count) < 6.5)
    }
}
