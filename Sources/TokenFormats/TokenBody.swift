import JSON
import TokenizerCore

/// The ids of a request in each form that a body may have; one list per image, not yet checked against the codebook
/// (`TokenIDs.local` does).
public struct TokenBody: Sendable {
    private let contract: TokenContract
    private let idSpace: IDSpace
    private let limits: ServiceLimits

    public init(contract: TokenContract, idSpace: IDSpace, limits: ServiceLimits) {
        self.contract = contract
        self.idSpace = idSpace
        self.limits = limits
    }

    /// `[id, …]`, or a list of such lists.
    public func json(_ value: JSONValue?) throws(FormatError) -> [[Int64]] {
        guard let value else {
            throw FormatError(
                .invalid, "missing_member", "there is no 'tokens', expected a list of ids or a list of such lists",
                param: "tokens")
        }
        guard let elements = value.arrayValue else {
            throw .badOption("tokens", "found \(value.kind), expected a list")
        }
        guard case .array? = elements.first else {
            guard !elements.isEmpty else {
                throw .badOption("tokens", "found an empty list, expected at least one image")
            }
            return [try ids(elements, "tokens")]
        }
        try checkImageCount(elements.count, name: "tokens", limits)
        var lists: [[Int64]] = []
        for (index, element) in elements.enumerated() {
            guard let list = element.arrayValue else {
                throw .badOption("tokens[\(index)]", "found \(element.kind), expected a list as its neighbours are")
            }
            lists.append(try ids(list, "tokens[\(index)]"))
        }
        return lists
    }

    /// The ids in the response to an encoding, in the order of its `data`.
    ///
    /// - Throws: where an item has none: its image had failed.
    package static func json(ofResponse data: JSONValue) throws(FormatError) -> JSONValue {
        guard let items = data.arrayValue else { throw .badOption("data", "found \(data.kind), expected a list") }
        var lists: [JSONValue] = []
        for (index, item) in items.enumerated() {
            guard let tokens = item["tokens"], tokens.arrayValue != nil else {
                let found = item["error"] != nil ? "an item that failed" : "an item without them"
                throw .badOption("data[\(index)]", "found \(found), expected an item with 'tokens', a list of ids")
            }
            lists.append(tokens)
        }
        guard !lists.isEmpty else { throw .badOption("data", "found an empty list, expected at least one image") }
        return .array(lists)
    }

    private func ids(_ elements: [JSONValue], _ name: String) throws(FormatError) -> [Int64] {
        var ids: [Int64] = []
        ids.reserveCapacity(elements.count)
        for (position, element) in elements.enumerated() {
            guard let id = element.clampedInteger else {
                let found = element.doubleValue == nil ? element.kind : "\(element)"
                throw .badOption("\(name)[\(position)]", "found \(found), expected an integer")
            }
            ids.append(id)
        }
        return ids
    }

    /// An .npy file of integers, shape (T) or (N, T).
    public func array(_ bytes: [UInt8]) throws(FormatError) -> [[Int64]] {
        let tokens = contract.tokensPerImage
        let array = try Npy.integers(bytes, limit: limits.bodyBytes) { shape throws(FormatError) in
            guard shape.count == 1 || shape.count == 2 else {
                throw Npy.bad("shape \(shape), expected (\(tokens)) or (N, \(tokens))")
            }
            guard shape.last == tokens else {
                throw FormatError(
                    .unprocessable, "token_count",
                    "found an array of shape \(shape), expected (\(tokens)) or (N, \(tokens))",
                    param: "tokens")
            }
            try checkImageCount(shape.count == 1 ? 1 : shape[0], name: "tokens", limits)
        }
        return stride(from: 0, to: array.values.count, by: tokens).map { Array(array.values[$0..<($0 + tokens)]) }
    }

    /// Little-endian ids, as many bytes each as a response of octets has.
    public func octets(_ bytes: [UInt8]) throws(FormatError) -> [[Int64]] {
        let size = ResponseJSON.idBytes(contract, idSpace)
        let perImage = contract.tokensPerImage * size
        guard !bytes.isEmpty, bytes.count % perImage == 0 else {
            throw FormatError(
                .unprocessable, "token_count",
                "found \(bytes.count) bytes, expected a multiple of \(perImage): "
                    + "\(contract.tokensPerImage) ids of \(size) bytes per image", param: "tokens")
        }
        let images = bytes.count / perImage
        try checkImageCount(images, name: "tokens", limits)
        var lists: [[Int64]] = []
        for image in 0..<images {
            var ids: [Int64] = []
            ids.reserveCapacity(contract.tokensPerImage)
            for start in stride(from: image * perImage, to: (image + 1) * perImage, by: size) {
                var id: Int64 = 0
                for byte in 0..<size { id |= Int64(bytes[start + byte]) << Int64(8 * byte) }
                ids.append(id)
            }
            lists.append(ids)
        }
        return lists
    }
}

/// An id as a message names it. The ends of 64 bits stand for what lies beyond them too.
package func described(_ id: Int64) -> String {
    switch id {
    case .max: "\(id) or more"
    case .min: "\(id) or less"
    default: "\(id)"
    }
}

extension JSONValue {
    /// An integer; one beyond 64 bits, which the parser keeps as a `number`, becomes the nearest that they hold. No
    /// fraction is as large.
    package var clampedInteger: Int64? {
        switch self {
        case .integer(let value): value
        case .number(let value) where value >= 0x1p63: .max
        case .number(let value) where value <= -0x1p63: .min
        default: nil
        }
    }
}
