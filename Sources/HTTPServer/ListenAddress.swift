/// Where the server listens: `HOST:PORT`, `[IPv6]:PORT` or `unix:PATH`.
public enum ListenAddress: Sendable, Equatable, CustomStringConvertible {
    /// Port 0 lets the kernel choose.
    case tcp(host: String, port: UInt16)
    case unix(path: String)

    /// The longest path that fits `sockaddr_un` with its NUL.
    static let longestPath = 107

    /// - Throws: `bad_address`, naming the part that is wrong.
    public init(_ text: String) throws(HTTPServerError) {
        func bad(_ why: String) -> HTTPServerError {
            HTTPServerError(
                "bad_address", "listen address \"\(text)\": \(why); expected HOST:PORT, [IPv6]:PORT or unix:PATH")
        }
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard !path.isEmpty, !path.utf8.contains(0) else { throw bad("no path") }
            guard path.utf8.count <= Self.longestPath else { throw bad("the path is over \(Self.longestPath) bytes") }
            self = .unix(path: path)
            return
        }
        guard let colon = text.lastIndex(of: ":") else { throw bad("no port") }
        let digits = text[text.index(after: colon)...]
        guard !digits.isEmpty, digits.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }), let port = UInt16(digits) else {
            throw bad("\"\(digits)\" is not a port from 0 to 65535")
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") {
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw bad("an IPv6 address needs brackets")
        }
        guard !host.isEmpty, !host.utf8.contains(0) else { throw bad("no host") }
        self = .tcp(host: String(host), port: port)
    }

    public var description: String {
        switch self {
        case .tcp(let host, let port): return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): return "unix:\(path)"
        }
    }
}
