import HTTPWire

/// Names of what bodies hold, and the choice among them (RFC 9110, 8.3 and 12.5.1).
enum MediaType {
    static let json = "application/json"
    static let npy = "application/x-npy"
    static let octets = "application/octet-stream"
    static let png = "image/png"
    static let jpeg = "image/jpeg"
    static let form = "multipart/form-data"

    /// Type and subtype in lower case, without parameters.
    static func essence(_ field: String) -> String {
        trimmed(Substring(field.utf8.prefix { $0 != UInt8(ascii: ";") })).lowercased()
    }

    /// The offer that the client likes best, the earliest of equals.
    ///
    /// - Returns: `nil` where it accepts none.
    static func choose(_ offers: [String], for headers: HTTPHeaders) -> String? {
        let fields = headers.all("Accept")
        guard !fields.isEmpty else { return offers.first }
        let ranges = fields.flatMap { $0.split(separator: ",") }.compactMap { Range($0) }
        guard !ranges.isEmpty else { return offers.first }
        var best: (offer: String, quality: Double)?
        for offer in offers {
            // The most specific range that matches decides.
            let matching = ranges.filter { $0.matches(offer) }.max { $0.precision < $1.precision }
            guard let quality = matching?.quality, quality > 0 else { continue }
            if quality > best?.quality ?? 0 { best = (offer, quality) }
        }
        return best?.offer
    }

    private struct Range {
        let type: String
        let quality: Double

        init?(_ text: Substring) {
            let parts = text.split(separator: ";", omittingEmptySubsequences: false)
            type = parts.first.map { trimmed($0).lowercased() } ?? ""
            guard !type.isEmpty else { return nil }
            let weight = parts.dropFirst().map { trimmed($0).lowercased() }.first { $0.hasPrefix("q=") }
            quality = weight.flatMap { Double($0.dropFirst(2)) } ?? 1
        }

        /// 2 for a type, 1 for all its subtypes, 0 for everything.
        var precision: Int { type == "*/*" ? 0 : type.hasSuffix("/*") ? 1 : 2 }

        func matches(_ offer: String) -> Bool {
            switch precision {
            case 0: true
            case 1: offer.hasPrefix(type.dropLast())
            default: offer == type
            }
        }
    }

    private static func trimmed(_ text: Substring) -> String {
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 }
        let start = text.utf8.drop(while: isSpace)
        guard let end = start.lastIndex(where: { !isSpace($0) }) else { return "" }
        return String(Substring(start[...end]))
    }
}
