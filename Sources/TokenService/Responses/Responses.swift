import HTTPWire
import Synchronization
import TokenFormats

/// Responses as HTTP has them.
enum Responses {
    static func ok(_ type: String, _ body: [UInt8], _ fields: [(String, String)] = []) -> HTTPResponse {
        var headers: HTTPHeaders = ["Content-Type": type]
        for (name, value) in fields { headers.add(name, value) }
        return HTTPResponse(status: 200, headers: headers, body: body)
    }

    /// What stays the same until its bytes change; a client may ask with `If-None-Match` whether they have.
    static func resource(_ type: String, _ body: [UInt8], _ fields: [(String, String)] = []) -> HTTPResponse {
        ok(type, body, fields + [("ETag", EntityTag.of(body)), ("Cache-Control", "no-cache")])
    }

    /// - Parameter path: the request's; decides the form of the body.
    static func error(_ error: ServiceError, id: String, path: String = "") -> HTTPResponse {
        var headers: HTTPHeaders = ["Content-Type": MediaType.json]
        if let seconds = error.retryAfter { headers.add("Retry-After", "\(seconds)") }
        if error.status == 401 { headers.add("WWW-Authenticate", "Bearer") }
        if let methods = error.allow { headers.add("Allow", methods) }
        return HTTPResponse(
            status: error.status, headers: headers,
            body: KServeRoute.owns(path) ? KServeJSON.error(error) : ResponseJSON.error(error, requestID: id))
    }

    /// What every response carries.
    static func stamp(
        _ response: inout HTTPResponse, id: String, _ phase: Lifecycle.Phase, _ timings: Timings = Timings()
    ) {
        response.headers.reserve()
        response.headers.set("X-Request-Id", id)
        response.headers.set("Server-Timing", timings.field)
        if phase == .closed { response.headers.set("Connection", "close") }
    }

    /// The client's `X-Request-Id` if it is 1...128 visible ASCII characters, else a new one.
    static func requestID(_ head: HTTPRequestHead) -> String {
        guard let sent = head.headers.first("X-Request-Id") else { return newID() }
        let isPlain = (1...128).contains(sent.utf8.count) && sent.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
        return isPlain ? sent : newID()
    }

    /// 32 hexadecimal digits, another at each call.
    static func newID() -> String {
        let number = counter.add(1, ordering: .relaxed).newValue
        let high = mixed(number ^ seed.0)
        let low = mixed(number &+ seed.1)
        return String(unsafeUninitializedCapacity: 32) { digits in
            for index in 0..<32 {
                let bits = index < 16 ? high >> (60 - 4 * UInt64(index)) : low >> (124 - 4 * UInt64(index))
                let digit = UInt8(truncatingIfNeeded: bits & 15)
                digits[index] = digit < 10 ? 0x30 + digit : 0x57 + digit
            }
            return 32
        }
    }

    /// What tells this process's ids from another's; each id then costs no system call.
    private static let seed = (UInt64.random(in: .min ... .max), UInt64.random(in: .min ... .max))
    private static let counter = Atomic<UInt64>(0)

    /// A bijection whose output looks random (the finalizer of SplitMix64, Steele, Lea and Flood 2014).
    private static func mixed(_ number: UInt64) -> UInt64 {
        var bits = number &* 0x9E37_79B9_7F4A_7C15
        bits = (bits ^ (bits >> 30)) &* 0xBF58_476D_1CE4_E5B9
        bits = (bits ^ (bits >> 27)) &* 0x94D0_49BB_1331_11EB
        return bits ^ (bits >> 31)
    }
}
