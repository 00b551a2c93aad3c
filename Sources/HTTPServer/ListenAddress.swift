import FilePaths
import Glibc
import HTTPWire

/// Where the server listens: `HOST:PORT`, `[IPv6]:PORT` or `unix:PATH`.
public enum ListenAddress: Sendable, Equatable, CustomStringConvertible {
    /// Port 0 lets the kernel choose.
    case tcp(host: String, port: UInt16)
    /// A path in the text form of `Path`.
    case unix(path: String)

    /// The longest path that fits `sockaddr_un` with its NUL.
    static let longestPath = 107

    /// - Throws: `bad_address`, naming the part that is wrong.
    public init(_ text: String) throws(HTTPServerError) {
        do throws(WrongAddress) {
            self = try ListenAddress(parsing: text)
        } catch {
            throw error.told(of: text)
        }
    }

    public var description: String {
        switch self {
        case .tcp(let host, let port): return host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): return "unix:\(path)"
        }
    }
}

/// What is asked of the server: to listen at an address. `[::]:PORT` takes IPv4's connections as well, unless
/// `,ipv6only` stands behind it.
public struct ListenRequest: Sendable, Equatable {
    public let address: ListenAddress
    /// Whether an IPv6 address takes no connections of IPv4.
    public let isIPv6Only: Bool

    private static let ipv6Only = "ipv6only"

    /// - Throws: `bad_address`, naming the part that is wrong.
    public init(_ text: String) throws(HTTPServerError) {
        do throws(WrongAddress) {
            (address, isIPv6Only) = try Self.parse(text)
        } catch {
            throw error.told(of: text)
        }
    }

    private static func parse(_ text: String) throws(WrongAddress) -> (ListenAddress, Bool) {
        guard !text.hasPrefix(ListenAddress.unixPrefix), !text.contains("://"), let comma = text.firstIndex(of: ",")
        else { return (try ListenAddress(parsing: text), false) }
        let option = text[text.index(after: comma)...]
        guard !option.contains(":") else { throw .several }
        guard option == ipv6Only else {
            throw WrongAddress("found \"\(option)\" behind the comma, expected \(ipv6Only)")
        }
        let address = try ListenAddress(parsing: String(text[..<comma]))
        guard case .tcp(let host, _) = address, host.contains(":") else {
            throw WrongAddress("\(ipv6Only) stands behind an address that is not [IPv6]:PORT")
        }
        return (address, true)
    }
}

/// What is wrong with the text of an address.
private struct WrongAddress: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }

    static let several = WrongAddress("several addresses between commas; each is given on its own")
    static let noPort = WrongAddress("no port")

    func told(of text: String) -> HTTPServerError {
        HTTPServerError(
            "bad_address",
            "listen address \"\(text)\": \(reason); expected HOST:PORT, [IPv6]:PORT, [IPv6]:PORT,ipv6only or unix:PATH")
    }
}

extension ListenAddress {
    fileprivate static let unixPrefix = "unix:"

    fileprivate init(parsing text: String) throws(WrongAddress) {
        if text.hasPrefix(Self.unixPrefix) {
            self = .unix(path: try Self.path(text.dropFirst(Self.unixPrefix.count)))
            return
        }
        try Self.refuseOthers(text)
        guard let colon = text.lastIndex(of: ":"), text.last != "]" else {
            throw text.utf8.allSatisfy(\.isDigit) && !text.isEmpty
                ? WrongAddress("a port without a host, as 127.0.0.1:\(text) would have") : .noPort
        }
        var host = text[..<colon]
        if host.hasPrefix("[") {
            guard host.hasSuffix("]") else { throw WrongAddress("found no \"]\" right before the port's colon") }
            host = host.dropFirst().dropLast()
        } else if host.contains(":") {
            throw WrongAddress("an IPv6 address needs brackets, as in [::1]:8080")
        }
        let port = try Self.port(text[text.index(after: colon)...])
        guard host != "*" else { throw WrongAddress("\"*\" is not a host; all addresses are [::] or 0.0.0.0") }
        guard !host.isEmpty, !host.utf8.contains(0) else {
            throw WrongAddress("no host; this machine alone is 127.0.0.1, all addresses are [::] or 0.0.0.0")
        }
        self = .tcp(host: String(host), port: port)
    }

    /// What other programs take for an address.
    private static func refuseOthers(_ text: String) throws(WrongAddress) {
        if let scheme = text.firstRange(of: "://") {
            let authority = text[scheme.upperBound...].prefix { $0 != "/" }
            throw WrongAddress("a URL; without \"\(text[..<scheme.upperBound])\" and a path it is \"\(authority)\"")
        }
        if text.contains(",") { throw .several }
        let colon = text.firstIndex(of: ":") ?? text.endIndex
        let isFile = colon == text.endIndex && !text.isEmpty && access(text, F_OK) == 0
        if isFile || text[..<colon].contains("/") || text.hasSuffix(".sock") {
            throw WrongAddress("a path; a socket's file is \"\(unixPrefix)\(text)\"")
        }
        if let slash = text.lastIndex(of: "/") {
            throw WrongAddress("found \"\(text[slash...])\" behind the port")
        }
    }

    private static func path(_ path: Substring) throws(WrongAddress) -> String {
        guard !path.isEmpty, !path.utf8.contains(0) else { throw WrongAddress("no path") }
        guard !path.contains(",\(unixPrefix)") else { throw .several }
        guard Path(String(path)).bytes.count <= longestPath else {
            throw WrongAddress("the path is over \(longestPath) bytes")
        }
        return String(path)
    }

    private static func port(_ digits: Substring) throws(WrongAddress) -> UInt16 {
        guard !digits.isEmpty else { throw .noPort }
        guard let port = UInt16(digits: digits) else {
            throw WrongAddress("\"\(digits)\" is not a port from 0 to 65535")
        }
        return port
    }
}
