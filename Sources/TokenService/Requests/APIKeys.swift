import Crypto
import Foundation
import HTTPWire
import Synchronization

/// The keys that requests may show (`Authorization: Bearer KEY`, RFC 6750 2.1). Only their SHA-256 is kept.
public final class APIKeys: Sendable {
    private let digests: Mutex<[SHA256.Digest]>

    public init(_ keys: [String]) {
        digests = Mutex(keys.map(Self.digest))
    }

    /// Requests that are looked at from now on need one of `keys`.
    public func replace(with keys: [String]) {
        let new = keys.map(Self.digest)
        digests.withLock { $0 = new }
    }

    /// - Throws: 401, without a word about the key.
    func check(_ headers: HTTPHeaders) throws(ServiceError) {
        let fields = headers.all("Authorization")
        guard let field = fields.first else {
            throw ServiceError(
                401, "missing_api_key", "an API key is needed; expected 'Authorization: Bearer KEY'",
                param: "Authorization")
        }
        let key = fields.count == 1 ? Self.bearer(field) : nil
        guard let key, isKnown(key) else {
            throw ServiceError(
                401, "invalid_api_key", "Authorization holds no key that is known here; expected 'Bearer KEY'",
                param: "Authorization")
        }
    }

    /// Takes the same time whichever key it is: digests have one length, and all are compared, each in constant time.
    private func isKnown(_ key: String) -> Bool {
        let shown = Self.digest(key)
        return digests.withLock { digests in
            digests.reduce(into: false) { isKnown, digest in
                let isSame = digest == shown
                isKnown = isKnown || isSame
            }
        }
    }

    /// What follows the scheme, whose case doesn't matter (RFC 9110 11.1).
    private static func bearer(_ field: String) -> String? {
        let parts = field.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        return String(parts[1].drop { $0 == " " })
    }

    private static func digest(_ key: String) -> SHA256.Digest { SHA256.hash(data: Data(key.utf8)) }
}
