import HTTPWire

/// Which pages of other origins may ask and read responses (the Fetch standard's CORS protocol). No origin: no fields.
public struct CrossOrigin: Sendable {
    private let origins: Set<String>

    private static let methods = "GET, HEAD, POST, OPTIONS"
    /// What a page may send beyond what any may.
    private static let requestFields =
        "Authorization, Content-Type, If-None-Match, Inference-Header-Content-Length, X-Request-Id, "
        + "X-Request-Timeout-Ms"
    /// What a page may read beyond what any may.
    private static let responseFields =
        "ETag, Inference-Header-Content-Length, Retry-After, Server-Timing, WWW-Authenticate, X-Request-Id, "
        + "X-Tessera-Contract, X-Tessera-PSNR, X-Tessera-SSIM"
    /// Seconds that a preflight is remembered; Chromium takes no more.
    private static let preflightAge = "7200"

    /// - Parameter origins: as `normalized` has them.
    init(_ origins: [String]) {
        self.origins = Set(origins)
    }

    /// `SCHEME://HOST[:PORT]` as browsers write it: in lower case, without the scheme's own port.
    ///
    /// - Returns: `nil` for anything else, `*` and `null` included.
    public static func normalized(_ text: String) -> String? {
        let text = text.lowercased()
        guard let mark = text.firstRange(of: "://") else { return nil }
        let scheme = text[..<mark.lowerBound]
        var host = text[mark.upperBound...]
        var port: Substring?
        if let colon = host.lastIndex(of: ":"), !host[colon...].contains("]") {
            port = host[host.index(after: colon)...]
            host = host[..<colon]
        }
        guard isScheme(scheme), isHost(host) else { return nil }
        guard let port else { return "\(scheme)://\(host)" }
        guard let number = UInt16(digits: port), number > 0 else { return nil }
        let isImplied = (scheme == "http" && number == 80) || (scheme == "https" && number == 443)
        return isImplied ? "\(scheme)://\(host)" : "\(scheme)://\(host):\(number)"
    }

    private static func isScheme(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, isLetter(first) else { return false }
        return text.utf8.allSatisfy { isLetter($0) || $0.isDigit || "+-.".utf8.contains($0) }
    }

    private static func isHost(_ text: Substring) -> Bool {
        if text.hasPrefix("["), text.hasSuffix("]"), text.contains(":") {
            return text.dropFirst().dropLast().utf8.allSatisfy {
                $0.isDigit || (0x61...0x66).contains($0) || ":.".utf8.contains($0)
            }
        }
        return !text.isEmpty && text.utf8.allSatisfy { isLetter($0) || $0.isDigit || "-._".utf8.contains($0) }
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte) }

    /// The response to a preflight request: the same for every path, as it carries no key and must not learn what
    /// there is.
    ///
    /// - Returns: `nil` for what isn't that, or comes from elsewhere.
    func preflight(_ head: HTTPRequestHead) -> HTTPResponse? {
        guard head.method == "OPTIONS", allowed(head) != nil,
            head.headers.first("Access-Control-Request-Method") != nil
        else { return nil }
        return HTTPResponse(
            status: 204,
            headers: [
                "Access-Control-Allow-Methods": Self.methods, "Access-Control-Allow-Headers": Self.requestFields,
                "Access-Control-Max-Age": Self.preflightAge,
            ])
    }

    /// Lets the page that asked read the response, if it may.
    ///
    /// - Parameter head: `nil`: the request could not be read, so its origin is unknown.
    func stamp(_ response: inout HTTPResponse, for head: HTTPRequestHead?) {
        guard !origins.isEmpty else { return }
        response.headers.add("Vary", "Origin")
        guard let head, let origin = allowed(head) else { return }
        response.headers.set("Access-Control-Allow-Origin", origin)
        response.headers.set("Access-Control-Expose-Headers", Self.responseFields)
    }

    private func allowed(_ head: HTTPRequestHead) -> String? {
        guard !origins.isEmpty, let origin = head.headers.first("Origin"), origins.contains(origin) else { return nil }
        return origin
    }
}
