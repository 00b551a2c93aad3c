/// How an image becomes a model's input (`Preprocessing.size` squared, 8-bit RGB).
public struct Preprocessing: Sendable, Hashable {
    /// Pillow's antialiased resampling filters.
    public enum Filter: String, Sendable, Hashable {
        /// Keys' cubic with a = -0.5.
        case bicubic
        case bilinear
    }

    /// Filter of the resize of the shorter edge.
    public var filter: Filter
    /// Edge of the centre crop in pixels.
    public var size: Int

    public init(filter: Filter, size: Int = 256) {
        self.filter = filter
        self.size = size
    }
}

/// Ids that a generator's vocabulary holds beside the codes (SFTok, TiTok and RAR layout):
/// codes `0..<K`, mask `K`, class c at `K + 1 + c`, "no class" `K + 1 + classes`.
public struct SpecialIDs: Sendable, Hashable {
    public let mask: Int
    public let classOffset: Int
    public let classes: Int
    public let noClass: Int

    public init(codebookSize: Int, classes: Int = 1000) {
        mask = codebookSize
        classOffset = codebookSize + 1
        self.classes = classes
        noClass = codebookSize + 1 + classes
    }
}

/// Everything that decides which tokens an image gets, and the fingerprint over it.
public struct TokenContract: Sendable, Hashable {
    /// "sftok" or "revq".
    public var architecture: String
    /// T.
    public var tokensPerImage: Int
    /// K, per position.
    public var codebookSize: Int
    /// Whether every position has a codebook of its own (ReVQ).
    public var perPositionCodebooks: Bool
    /// Assignments the model can make, its default first.
    public var assignments: [Assignment]
    /// Default number of decoder steps; `nil` where decoding has no steps.
    public var defaultSteps: Int?
    /// Default noise temperature; `nil` where decoding draws no noise.
    public var defaultTemperature: Float?
    public var preprocessing: Preprocessing
    public var precision: Precision
    /// SHA-256 over tensors and settings, 64 lowercase hexadecimal digits.
    public var fingerprint: String
    /// Parameters in the tensors that the model uses.
    public var parameters: Int

    public var specialIDs: SpecialIDs { SpecialIDs(codebookSize: codebookSize) }

    public init(
        architecture: String, tokensPerImage: Int, codebookSize: Int, perPositionCodebooks: Bool,
        assignments: [Assignment], defaultSteps: Int?, defaultTemperature: Float?, preprocessing: Preprocessing,
        precision: Precision, fingerprint: String, parameters: Int
    ) {
        self.architecture = architecture
        self.tokensPerImage = tokensPerImage
        self.codebookSize = codebookSize
        self.perPositionCodebooks = perPositionCodebooks
        self.assignments = assignments
        self.defaultSteps = defaultSteps
        self.defaultTemperature = defaultTemperature
        self.preprocessing = preprocessing
        self.precision = precision
        self.fingerprint = fingerprint
        self.parameters = parameters
    }
}

extension TokenContract {
    /// Count and range of local ids.
    public func check(_ tokens: [Int32]) throws(TokenizerError) {
        guard tokens.count == tokensPerImage else {
            throw .tokenCount(found: tokens.count, expected: tokensPerImage)
        }
        for (position, id) in tokens.enumerated() where id < 0 || Int(id) >= codebookSize {
            throw .tokenRange(position: position, found: Int64(id), codebookSize: codebookSize)
        }
    }
}
