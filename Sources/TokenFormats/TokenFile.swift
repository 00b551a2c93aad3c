import JSON
import TokenizerCore

/// Tokens from a file, in any form that a response of `POST /v1/encode` has.
public enum TokenFile {
    /// Reads an .npy array, an encoding's JSON response, `{"tokens": …}`, or a bare list of ids or of such lists.
    ///
    /// - Returns: local ids, checked; one list per image.
    /// - Throws: what `POST /v1/decode` would refuse with, a contract that isn't the model's included.
    public static func read(
        _ bytes: [UInt8], contract: TokenContract, parameters: DecodeParameters, limits: ServiceLimits
    ) throws(FormatError) -> [[Int32]] {
        let body = TokenBody(contract: contract, idSpace: parameters.idSpace, limits: limits)
        var parameters = parameters
        let lists: [[Int64]]
        if bytes.starts(with: [0x93] + Array("NUMPY".utf8)) {
            lists = try body.array(bytes)
        } else {
            let value = try parse(bytes)
            if parameters.contract == nil { parameters.contract = value["contract"]?.stringValue }
            if let data = value["data"] {
                lists = try body.json(TokenBody.json(ofResponse: data))
            } else {
                lists = try body.json(value.objectValue == nil ? value : value["tokens"])
            }
        }
        try parameters.check(for: contract)
        var checked: [[Int32]] = []
        for list in lists { checked.append(try TokenIDs.local(list, contract, in: parameters.idSpace)) }
        return checked
    }

    private static func parse(_ bytes: [UInt8]) throws(FormatError) -> JSONValue {
        do throws(JSONError) {
            return try JSONValue.parse(bytes, extensions: .byteOrderMark)
        } catch {
            throw FormatError(
                .invalid, "invalid_json",
                "is neither an .npy array nor JSON that is read here, expected a file of tokens: \(error)")
        }
    }
}
