import ImageInput
import TokenizerCore

/// Which numbers tokens are written as.
public enum IDSpace: String, Sendable, CaseIterable {
    /// 0 ..< codebook size at every position.
    case local
    /// Unique over all positions: position * codebook size + id where every position has a codebook of its own, else
    /// the same as `local`.
    case global
}

/// What a request asks of an encoding, from file to ids.
public struct EncodeParameters: Sendable, Equatable {
    public var picture = PictureOptions()
    public var encode = EncodeOptions()
    public var idSpace = IDSpace.local

    public init() {}

    /// - Throws: where the model hasn't what is asked for.
    public func check(for contract: TokenContract) throws(FormatError) {
        if let assignment = encode.assignment, !contract.assignments.contains(assignment) {
            let known = contract.assignments.map { "'\($0.rawValue)'" }.joined(separator: " or ")
            throw .badOption("assignment", "found '\(assignment.rawValue)', this model has \(known)")
        }
    }
}

/// What a request asks of a decoding, from ids to pixels.
public struct DecodeParameters: Sendable, Equatable {
    public var decode = DecodeOptions()
    public var idSpace = IDSpace.local
    /// The fingerprint under which the ids were made; `nil`: not checked.
    public var contract: String?

    /// The seeds that are taken: what JSON's integers hold without loss here.
    public static let seeds: ClosedRange<Int64> = 0...Int64.max

    public init() {}

    /// - Throws: where the model hasn't what is asked for, or the ids were made under another contract.
    public func check(for contract: TokenContract) throws(FormatError) {
        if let wanted = self.contract, !contract.covers(wanted) {
            throw FormatError(
                .conflict, "contract_mismatch",
                "the tokens were made under contract '\(shortened(wanted))', "
                    + "this model's is '\(contract.fingerprint)': other weights, precision, preprocessing "
                    + "or assignment", param: "contract")
        }
        if let steps = decode.steps {
            guard contract.defaultSteps != nil else { throw .badOption("steps", "this model decodes without steps") }
            guard (1...64).contains(steps) else { throw .badOption("steps", "found \(steps), expected 1...64") }
        }
        if let temperature = decode.temperature {
            guard contract.defaultTemperature != nil else {
                throw .badOption("temperature", "this model decodes without noise")
            }
            guard (0...100).contains(temperature) else {
                throw .badOption("temperature", "found \(temperature), expected 0...100")
            }
        }
    }
}

/// Ids between the two forms: as a model has them, and as they are written.
public enum TokenIDs {
    /// Ids as they are written: count = tokens per image.
    public static func published(_ ids: [Int32], _ contract: TokenContract, in space: IDSpace) -> [UInt32] {
        guard space == .global, contract.perPositionCodebooks else { return ids.map { UInt32(bitPattern: $0) } }
        return ids.enumerated().map { position, id in
            UInt32(truncatingIfNeeded: position * contract.codebookSize + Int(id))
        }
    }

    /// Ids as the model takes them.
    ///
    /// - Throws: a wrong count, or the first id out of range.
    public static func local(
        _ ids: [Int64], _ contract: TokenContract, in space: IDSpace
    ) throws(FormatError) -> [Int32] {
        guard ids.count == contract.tokensPerImage else {
            throw FormatError(TokenizerError.tokenCount(found: ids.count, expected: contract.tokensPerImage))
        }
        let size = Int64(contract.codebookSize)
        let isOffset = space == .global && contract.perPositionCodebooks
        var local: [Int32] = []
        local.reserveCapacity(ids.count)
        for (position, id) in ids.enumerated() {
            let first = isOffset ? Int64(position) * size : 0
            guard id >= first, id < first + size else {
                guard isOffset else {
                    throw FormatError(
                        TokenizerError.tokenRange(position: position, found: id, codebookSize: Int(size)))
                }
                throw FormatError(
                    .unprocessable, "token_out_of_range",
                    "the token at position \(position) is \(described(id)), expected \(first)...\(first + size - 1)",
                    param: "tokens")
            }
            local.append(Int32(truncatingIfNeeded: id - first))
        }
        return local
    }
}
