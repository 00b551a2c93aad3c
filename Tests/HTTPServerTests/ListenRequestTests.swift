import Glibc
import HTTPWire
import SocketClient
import Testing

@testable import HTTPServer

struct ListenRequestTests {
    @Test(
        arguments: [
            ("[::]:8080", .tcp(host: "::", port: 8080), false),
            ("[::]:8080,ipv6only", .tcp(host: "::", port: 8080), true),
            ("[::1]:0,ipv6only", .tcp(host: "::1", port: 0), true),
            ("[fe80::1%lo]:1,ipv6only", .tcp(host: "fe80::1%lo", port: 1), true),
            ("localhost:0", .tcp(host: "localhost", port: 0), false), ("unix:/a,b", .unix(path: "/a,b"), false),
            ("unix:x,ipv6only", .unix(path: "x,ipv6only"), false),
            ("unix:///run/x.sock", .unix(path: "///run/x.sock"), false),
        ] as [(String, ListenAddress, Bool)])
    func valid(_ text: String, _ address: ListenAddress, _ isIPv6Only: Bool) throws {
        let request = try ListenRequest(text)
        #expect(request.address == address)
        #expect(request.isIPv6Only == isIPv6Only)
    }

    @Test(arguments: [
        // URLs.
        ("http://127.0.0.1:8080", #"a URL; without "http://" and a path it is "127.0.0.1:8080""#),
        ("http://localhost:8080/", #"it is "localhost:8080""#), ("https://[::1]:80/v1?a=b", #"it is "[::1]:80""#),
        ("tcp://0.0.0.0:2375", #"without "tcp://""#), ("http://localhost", #"it is "localhost""#),
        ("http://a:1,http://b:2", "a URL"), ("localhost:8080/v1", #"found "/v1" behind the port"#),
        // Commas.
        ("127.0.0.1:80,127.0.0.1:81", "several addresses"), ("127.0.0.1:80, [::1]:80", "several addresses"),
        ("[::1]:80,unix:/x", "several addresses"), ("unix:/x,unix:/y", "several addresses"),
        ("[::]:80,ipv6only,[::1]:81", "several addresses"),
        ("[::]:80,", #"found "" behind the comma, expected ipv6only"#),
        ("[::]:80,ipv4", #"found "ipv4""#), ("[::]:80,IPV6ONLY", #"found "IPV6ONLY""#),
        ("[::]:80,ipv6only,ipv6only", #"found "ipv6only,ipv6only""#), ("a,b", #"found "b" behind the comma"#),
        ("0.0.0.0:80,ipv6only", "not [IPv6]:PORT"), ("localhost:80,ipv6only", "not [IPv6]:PORT"),
        ("[::],ipv6only", "no port"),
        // Files.
        ("/run/tessera.sock", #"a path; a socket's file is "unix:/run/tessera.sock""#),
        ("./a.sock", #""unix:./a.sock""#), ("tessera.sock", #""unix:tessera.sock""#),
        // Names that exist here tell a file from a host.
        (".", #"a path; a socket's file is "unix:.""#), ("..", #""unix:..""#), ("run/x", #""unix:run/x""#),
        ("/run/a:80", #""unix:/run/a:80""#), ("unix:", "no path"),
        // Ports.
        ("localhost", "no port"), ("127.0.0.1", "no port"), ("[::1]", "no port"), ("[::]:", "no port"),
        ("a:", "no port"),
        ("8080", "a port without a host, as 127.0.0.1:8080"), ("", "no port"),
        ("127.0.0.1:65536", #""65536" is not a port from 0 to 65535"#), ("[::1]:99999", #""99999" is not"#),
        ("a:-1", #""-1" is not"#), ("a:+1", #""+1" is not"#), ("a:0x50", #""0x50" is not"#),
        ("a: 80", #"" 80" is not"#),
        ("a:80 ", #""80 " is not"#), ("a:٨٠", #""٨٠" is not"#), ("a:18446744073709551696", "is not a port"),
        // Hosts.
        (":8080", "no host; this machine alone is 127.0.0.1"), ("[]:80", "no host"), ("*:80", #""*" is not a host"#),
        ("::1:80", "needs brackets"), ("::1", "needs brackets"), ("[::1:80", #"found no "]""#),
        ("[::1]80:1", #"found no "]""#),
    ])
    func invalid(_ text: String, _ says: String) {
        let error = #expect(throws: HTTPServerError.self) { try ListenRequest(text) }
        #expect(error?.code == "bad_address")
        let message = error?.message ?? ""
        #expect(message.hasPrefix("listen address \"\(text)\": "))
        #expect(message.contains(says), "\(message)")
        #expect(message.hasSuffix("; expected HOST:PORT, [IPv6]:PORT, [IPv6]:PORT,ipv6only or unix:PATH"))
    }
}

private let hasIPv6: Bool = {
    let probe = SocketClient(family: AF_INET6)
    var name = sockaddr_in6()
    name.sin6_family = sa_family_t(AF_INET6)
    inet_pton(AF_INET6, "::1", &name.sin6_addr)
    return withUnsafePointer(to: &name) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
            bind(probe.descriptor, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) == 0
        }
    }
}()

/// The addresses behind names, and the families that `[::]` takes.
@Suite(.serialized) struct FamilyTests {
    /// Answers whom it speaks to.
    private final class Handler: HTTPHandler {
        func begin(_ head: HTTPRequestHead, peer: String?) -> HTTPDecision {
            .respond(HTTPResponse(status: 200, body: Array((peer ?? "none").utf8)))
        }

        func response(to error: HTTPWireError, head: HTTPRequestHead?, peer: String?) -> HTTPResponse {
            HTTPResponse(status: error.status)
        }
    }

    private func server(_ listen: String...) throws -> (HTTPServer, [ListenAddress]) {
        let server = HTTPServer(configuration: .init(listen: listen), handler: Handler())
        return (server, try server.start())
    }

    private func port(_ address: ListenAddress?) throws -> UInt16 {
        guard case .tcp(_, let port) = try #require(address) else { return 0 }
        return port
    }

    /// The peer that the server sees, less its port.
    private func peer(_ host: String, _ port: UInt16) throws -> String {
        let text = try SocketClient(to: .tcp(host: host, port: port)).get("/").text
        return String(text[..<(text.lastIndex(of: ":") ?? text.endIndex)])
    }

    @Test(.enabled(if: hasIPv6)) func theUnspecifiedAddressTakesBothFamilies() async throws {
        let (server, addresses) = try server("[::]:0")
        let port = try port(addresses.first)
        #expect(addresses == [.tcp(host: "::", port: port)])
        #expect(try peer("127.0.0.1", port) == "127.0.0.1")
        #expect(try peer("::1", port) == "[::1]")
        #expect(await server.shutdown(grace: .seconds(60)) == 0)
    }

    @Test(.enabled(if: hasIPv6)) func ipv6onlyLeavesIPv4Out() async throws {
        let (server, addresses) = try server("[::]:0,ipv6only")
        let port = try port(addresses.first)
        #expect(addresses == [.tcp(host: "::", port: port)])
        #expect(try peer("::1", port) == "[::1]")
        #expect(throws: SocketClient.Failure.self) { try peer("127.0.0.1", port) }
        // IPv4's port is free for another one.
        let (other, others) = try self.server("0.0.0.0:\(port)")
        #expect(others == [.tcp(host: "0.0.0.0", port: port)])
        #expect(try peer("127.0.0.1", port) == "127.0.0.1")
        #expect(await other.shutdown(grace: .seconds(60)) == 0)
        #expect(await server.shutdown(grace: .seconds(60)) == 0)
    }

    @Test(.enabled(if: hasIPv6)) func besideIPv4TheUnspecifiedAddressIsTold() async throws {
        let (first, addresses) = try server("0.0.0.0:0")
        let port = try port(addresses.first)
        let error = #expect(throws: HTTPServerError.self) { try server("[::]:\(port)") }
        #expect(error?.code == "address_in_use")
        #expect(error?.message.hasSuffix("it is 0.0.0.0:\(port) as well, unless ,ipv6only stands behind it") == true)
        let (second, others) = try server("[::]:\(port),ipv6only")
        #expect(others == [.tcp(host: "::", port: port)])
        #expect(await first.shutdown(grace: .seconds(60)) == 0)
        #expect(await second.shutdown(grace: .seconds(60)) == 0)
    }

    @Test(.enabled(if: hasIPv6)) func aMappedAddressIsItself() async throws {
        let (server, addresses) = try server("[::ffff:127.0.0.1]:0")
        let port = try port(addresses.first)
        #expect(addresses == [.tcp(host: "127.0.0.1", port: port)])
        #expect(try peer("127.0.0.1", port) == "127.0.0.1")
        #expect(await server.shutdown(grace: .seconds(60)) == 0)
    }

    @Test func aNameIsAllOfItsAddresses() async throws {
        let expected = try HostAddress.all(of: "localhost")
        let (server, addresses) = try server("localhost:0")
        let port = try port(addresses.first)
        #expect(addresses.allSatisfy { (try? self.port($0)) == port })
        for address in addresses {
            guard case .tcp(let host, _) = address else { continue }
            #expect(try peer(host, port) == (host.contains(":") ? "[\(host)]" : host))
        }
        #expect(addresses.count == expected.filter { $0.family == AF_INET || hasIPv6 }.count)
        #expect(await server.shutdown(grace: .seconds(60)) == 0)
    }

    // MARK: - Addresses of a name, given in place of the resolver's

    private func listen(
        _ hosts: [String], port: UInt16 = 0
    ) throws -> [ListenAddress] {
        let sockets = try Sockets.listen(
            on: hosts.flatMap { try HostAddress.all(of: $0) }, port: port, isIPv6Only: true,
            name: .tcp(host: "name", port: port), backlog: 8)
        let descriptors = sockets.release()
        defer { for descriptor in descriptors { close(descriptor) } }
        return descriptors.compactMap { Sockets.boundAddress(of: $0) }
    }

    private static let absent = ["203.0.113.9", "2001:db8::9"]

    @Test(arguments: [
        (["127.0.0.1", "::1"], ["127.0.0.1", "::1"]), (["::1", "127.0.0.1"], ["::1", "127.0.0.1"]),
        (["127.0.0.1", "2001:db8::9"], ["127.0.0.1"]), (["2001:db8::9", "127.0.0.1"], ["127.0.0.1"]),
        (["203.0.113.9", "::1"], ["::1"]), (["203.0.113.9", "127.0.0.1", "2001:db8::9", "::1"], ["127.0.0.1", "::1"]),
        (["0.0.0.0", "::"], ["0.0.0.0", "::"]),
    ])
    func absentAddressesAreLeftOut(hosts: [String], expected: [String]) throws {
        let addresses = try listen(hosts)
        let port = try port(addresses.first)
        #expect(port > 0)
        // Without IPv6 its addresses are as absent as those of other machines.
        let present = expected.filter { hasIPv6 || !$0.contains(":") }
        #expect(addresses == present.map { .tcp(host: $0, port: port) })
    }

    @Test(arguments: [["203.0.113.9"], ["2001:db8::9"], ["203.0.113.9", "2001:db8::9"]])
    func noAddressAtAllIsAnError(hosts: [String]) {
        let error = #expect(throws: HTTPServerError.self) { try listen(hosts, port: 8080) }
        #expect(error?.code == "cannot_listen")
        #expect(error?.message.hasPrefix("can't listen on name:8080: ") == true || !hasIPv6)
    }

    @Test(.enabled(if: hasIPv6)) func onePortTakenIsAnErrorForAll() throws {
        let held = try Sockets.listen(on: ListenRequest("[::1]:0"), backlog: 8).release()
        let port = try port(Sockets.boundAddress(of: held[0]))
        let error = #expect(throws: HTTPServerError.self) { try listen(["127.0.0.1", "::1"], port: port) }
        #expect(error?.code == "address_in_use")
        for descriptor in held { close(descriptor) }
        // Nothing of the failed one is left open.
        #expect(try listen(["127.0.0.1", "::1"], port: port).count == 2)
    }

    @Test func anUnknownNameIsToldWithTheResolversReason() {
        let error = #expect(throws: HTTPServerError.self) { try HostAddress.all(of: "no.such.host.invalid") }
        #expect(error?.code == "bad_address")
        #expect(error?.message.hasPrefix("host \"no.such.host.invalid\": ") == true)
    }

    @Test func eachAddressStandsOnce() throws {
        for host in ["localhost", "127.0.0.1", "::1", "0.0.0.0"] {
            let addresses = try HostAddress.all(of: host)
            for (index, address) in addresses.enumerated() { #expect(!addresses[..<index].contains(address)) }
        }
    }
}

/// What stands where a socket's file should.
@Suite(.serialized) struct SocketFileTests {
    enum Occupant: String, CaseIterable {
        case regular = "a regular file"
        case empty = "a regular file, without bytes"
        case folder = "a folder"
        case link = "a symbolic link"
        case pipe = "a file of another kind"

        func make(at path: String) {
            switch self {
            case .regular:
                let descriptor = creat(path, 0o600)
                write(descriptor, "text", 4)
                close(descriptor)
            case .empty: close(creat(path, 0o600))
            case .folder: mkdir(path, 0o700)
            case .link: symlink("/nowhere", path)
            case .pipe: mkfifo(path, 0o600)
            }
        }
    }

    @Test(arguments: Occupant.allCases) func isNamedAndLeftAlone(_ occupant: Occupant) {
        let path = temporaryPath()
        occupant.make(at: path)
        defer { remove(path) }
        var before = stat()
        lstat(path, &before)
        let error = #expect(throws: HTTPServerError.self) { try Fixture(listen: "unix:\(path)") }
        #expect(error?.code == "cannot_listen")
        let kind = occupant.rawValue.prefix { $0 != "," }
        #expect(error?.message.hasPrefix("can't listen on unix:\(path): found \(kind) there, expected none") == true)
        var after = stat()
        #expect(lstat(path, &after) == 0 && after.st_ino == before.st_ino && after.st_size == before.st_size)
    }

    @Test(arguments: Occupant.allCases) func aPathWithoutUnixIsTold(_ occupant: Occupant) {
        let path = temporaryPath()
        occupant.make(at: path)
        defer { remove(path) }
        let error = #expect(throws: HTTPServerError.self) { try ListenRequest(path) }
        #expect(error?.message.contains("a path; a socket's file is \"unix:\(path)\"") == true)
    }

    @Test func anotherProcessesSocketIsInUse() async throws {
        let path = temporaryPath()
        let fixture = try Fixture(listen: "unix:\(path)")
        let error = #expect(throws: HTTPServerError.self) { try Fixture(listen: "unix:\(path)") }
        #expect(error?.code == "address_in_use")
        #expect(await fixture.stop() == 0)
    }

    @Test func aMissingFolderIsTold() {
        let path = temporaryPath() + "/x.sock"
        let error = #expect(throws: HTTPServerError.self) { try Fixture(listen: "unix:\(path)") }
        #expect(error?.message == "can't listen on unix:\(path): No such file or directory")
    }
}
