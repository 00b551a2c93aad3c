import FilePaths
import Glibc
import HTTPServer
import HTTPWire
import SocketClient
import Testing

struct ListenAddressTests {
    @Test(arguments: [
        ("127.0.0.1:8080", ListenAddress.tcp(host: "127.0.0.1", port: 8080)),
        ("localhost:0", .tcp(host: "localhost", port: 0)), ("[::1]:65535", .tcp(host: "::1", port: 65_535)),
        ("unix:/run/x.sock", .unix(path: "/run/x.sock")), ("unix:x", .unix(path: "x")),
    ])
    func valid(_ text: String, _ address: ListenAddress) throws {
        #expect(try ListenAddress(text) == address)
        #expect(address.description == text)
    }

    @Test(arguments: [
        "", "8080", "localhost", ":8080", "a:", "a:65536", "a:-1", "a:+1", "a:x", "::1:80", "[]:80", "unix:", "a: 1",
        "unix:" + String(repeating: "x", count: 108), "[::]:80,ipv6only",
    ])
    func invalid(_ text: String) {
        #expect { try ListenAddress(text) } throws: { error in
            let error = error as? HTTPServerError
            return error?.code == "bad_address" && error?.message.contains("expected HOST:PORT") == true
        }
    }
}

@Suite(.serialized) struct ListenTests {
    @Test func unixSocket() async throws {
        let path = temporaryPath()
        let fixture = try Fixture(listen: "unix:\(path)")
        #expect(fixture.address == .unix(path: path))
        #expect(try fixture.client().get("/u").text == "/u")
        #expect(throws: HTTPServerError.self) { try Fixture(listen: "unix:\(path)") }
        #expect(try fixture.client().get("/u").text == "/u")
        #expect(await fixture.stop() == 0)
        #expect(access(path, F_OK) != 0)
    }

    /// Of 107 bytes, though their text has more.
    @Test(arguments: [
        "\\xe9", "\\x80", "\\xc0\\xaf", "e\u{301}", "\\x1b[31m\\x0a", "\\xff" + String(repeating: "x", count: 40),
    ])
    func aUnixSocketsNameNeedNotBeUTF8(name: String) async throws {
        let path = temporaryPath() + name
        let whole = path + String(repeating: "\\xe9", count: 107 - Path(path).bytes.count)
        let fixture = try Fixture(listen: "unix:\(whole)")
        #expect(Path(whole).exists && fixture.address.description == "unix:\(whole)")
        #expect(try fixture.client().get("/u").text == "/u")
        #expect(await fixture.stop() == 0)
        #expect(!Path(whole).exists)
        #expect(throws: HTTPServerError.self) { try ListenAddress("unix:\(whole)\\xe9") }
    }

    @Test func aStaleUnixSocketIsReplaced() async throws {
        let path = temporaryPath()
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var name = sockaddr_un()
        name.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        close(descriptor)
        try #require(bound == 0)
        let fixture = try Fixture(listen: "unix:\(path)")
        #expect(try fixture.client().get("/u").text == "/u")
        #expect(await fixture.stop() == 0)
    }

    @Test func aFileThatIsNoSocketIsLeftAlone() {
        let path = temporaryPath()
        close(creat(path, 0o600))
        defer { unlink(path) }
        #expect(throws: HTTPServerError.self) { try Fixture(listen: "unix:\(path)") }
        #expect(access(path, F_OK) == 0)
    }

    @Test func ipv6() async throws {
        let fixture: Fixture
        do {
            fixture = try Fixture(listen: "[::1]:0")
        } catch {
            print("IPv6 not tested: \(error)")
            return
        }
        #expect(fixture.address.description.hasPrefix("[::1]:"))
        #expect(try fixture.client().get("/6").text == "/6")
        #expect(await fixture.stop() == 0)
    }

    @Test func aTakenPortIsNamed() async throws {
        let fixture = try Fixture()
        #expect { try Fixture(listen: fixture.address.description) } throws: { error in
            let error = error as? HTTPServerError
            return error?.code == "address_in_use" && error?.message.contains("\(fixture.address)") == true
        }
        #expect(await fixture.stop() == 0)
    }

    @Test func oneBadAddressFailsTheStart() async throws {
        let path = temporaryPath()
        let server = HTTPServer(
            configuration: .init(listen: ["unix:\(path)", "127.0.0.1:x"]), handler: TestHandler())
        #expect(throws: HTTPServerError.self) { try server.start() }
        #expect(eventually { access(path, F_OK) != 0 })
    }

    @Test func overTheCapAcceptingPauses() async throws {
        let fixture = try Fixture(maximumConnections: 2)
        let first = try fixture.client()
        let second = try fixture.client()
        #expect(try first.get("/1").text == "/1")
        #expect(try second.get("/2").text == "/2")
        let third = try fixture.client()
        try third.send("GET /3 HTTP/1.1\r\nHost: a\r\n\r\n")
        usleep(300_000)
        #expect(fixture.handler.handled == 2)
        #expect(try second.get("/2").text == "/2")
        first.end()
        #expect(try third.read().text == "/3")
        #expect(await fixture.stop() == 0)
    }

    /// In a process of its own, as the limit holds for all of it.
    @Test func withoutDescriptorsAcceptingPausesAndRecovers() async {
        await #expect(processExitsWith: .success) {
            let fixture = try Fixture()
            let warm = try fixture.client()
            #expect(try warm.get("/").status == 200)
            let clients = (0..<10).map { _ in SocketClient() }
            let highest = clients.map(\.descriptor).max() ?? 0
            var limit = rlimit()
            getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            limit.rlim_cur = rlim_t(highest + 4)
            try #require(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
            for client in clients { try client.connect(to: fixture.address) }
            for client in clients { try client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n") }
            usleep(300_000)
            try #require(fixture.handler.handled < 11)
            #expect(try warm.get("/").status == 200)
            for client in clients {
                #expect(try client.read().status == 200)
                client.end()
            }
            try #require(fixture.handler.handled == 12)
            try #require(await fixture.stop() == 0)
        }
    }

    @Test func descriptorsReturnToTheirNumber() async {
        await #expect(processExitsWith: .success) {
            func descriptors() -> Int { (0..<1024).count { fcntl(Int32($0), F_GETFD) >= 0 } }
            let warmUp = try Fixture()
            #expect(try warmUp.client().get("/").status == 200)
            _ = await warmUp.stop()
            let before = descriptors()
            let fixture = try Fixture()
            for number in 0..<200 {
                let client = try fixture.client()
                switch number % 4 {
                case 0: _ = try client.get("/")
                case 1: try client.send("garbage\r\n\r\n")
                case 2: try client.send("GET /hold HTTP/1.1\r\nHost: a\r\n\r\n")
                default: client.reset()
                }
            }
            fixture.handler.releaseHeld()
            _ = await fixture.stop()
            try #require(eventually { descriptors() == before })
        }
    }
}

/// Whom a handler is told that it speaks to.
@Suite(.serialized) struct PeerTests {
    private final class Handler: HTTPHandler {
        func begin(_ head: HTTPRequestHead, peer: String?) -> HTTPDecision {
            guard head.path == "/refuse" else { return .collect(limit: 1 << 20, Exchange(head, peer)) }
            return .respond(HTTPResponse(status: 404, body: Array("head \(peer ?? "none")".utf8)))
        }

        func response(to error: HTTPWireError, head: HTTPRequestHead?, peer: String?) -> HTTPResponse {
            HTTPResponse(status: error.status, body: Array("wire \(head?.path ?? "none") \(peer ?? "none")".utf8))
        }
    }

    private final class Exchange: HTTPExchange {
        let head: HTTPRequestHead
        let peer: String?

        init(_ head: HTTPRequestHead, _ peer: String?) {
            self.head = head
            self.peer = peer
        }

        func run(body: [UInt8], responder: HTTPResponder) {
            if head.path == "/drop" { return }
            responder.send(HTTPResponse(status: 200, body: Array("answer \(peer ?? "none")".utf8)))
        }

        func response(to error: HTTPWireError) -> HTTPResponse {
            Handler().response(to: error, head: head, peer: peer)
        }

        func cancel() {}
    }

    @Test(arguments: ["127.0.0.1:0", "unix"]) func isNamedToAll(listen: String) async throws {
        let address = listen == "unix" ? "unix:\(temporaryPath())" : listen
        let server = HTTPServer(configuration: .init(listen: [address]), handler: Handler())
        let bound = try #require(try server.start().first)
        let cases = [
            ("GET /a HTTP/1.1\r\nHost: a\r\n\r\n", "answer PEER"),
            ("GET /refuse HTTP/1.1\r\nHost: a\r\n\r\n", "head PEER"),
            ("GET /drop HTTP/1.1\r\nHost: a\r\n\r\n", "wire /drop PEER"),
            ("POST /big HTTP/1.1\r\nHost: a\r\nContent-Length: 1048577\r\n\r\n", "wire /big PEER"),
            ("GET /a HTTP/1.1\r\n\r\n", "wire none PEER"),
        ]
        for (request, expected) in cases {
            let client = try SocketClient(to: bound)
            try client.send(request)
            let text = try client.read().text
            if listen == "unix" {
                #expect(text == expected.replacing("PEER", with: "unix"))
            } else {
                #expect(text.hasPrefix(expected.replacing("PEER", with: "127.0.0.1:")))
                #expect(text.split(separator: ":").last.flatMap { UInt16($0) } ?? 0 > 0)
            }
        }
        #expect(await server.shutdown(grace: .seconds(60)) == 0)
    }
}
