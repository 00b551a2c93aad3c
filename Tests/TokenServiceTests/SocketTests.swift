import Dispatch
import Foundation
import JSON
import Patience
import SocketClient
import Testing
import TokenizerCore

@testable import HTTPServer
@testable import TokenService

/// A server over a service with the fake model "m".
private func serving(_ client: Client, _ body: (UInt16) throws -> Void) throws {
    let server = HTTPServer(configuration: .init(listen: ["127.0.0.1:0"]), handler: client.service)
    guard case .tcp(_, let port) = try #require(try server.start().first) else {
        Issue.record("not a TCP address")
        return
    }
    let ended = DispatchSemaphore(value: 0)
    defer {
        server.shutdown(grace: .seconds(5)) { _ in ended.signal() }
        #expect(ended.comes())
    }
    try body(port)
}

@Suite(.timeLimit(.minutes(5))) struct SocketTests {
    @Test func oneConnectionServesManyRequests() throws {
        let client = try Client()
        try serving(client) { port in
            let socket = try SocketClient(port: port)
            try socket.send("POST", "/v1/encode", ["Content-Type: image/png", "X-Request-Id: first"], png(5))
            let tokens = try socket.read()
            #expect(tokens.head.hasPrefix("HTTP/1.1 200 OK\r\n"))
            #expect(tokens.head.contains("\r\nX-Request-Id: first"))
            #expect(try JSONValue.parse(tokens.body)["data"]?[0]?["tokens"] == [5, 5, 5, 5])
            let body = Array(#"{"tokens":[5,6,7,8],"contract":"aa11"}"#.utf8)
            try socket.send("POST", "/v1/decode", ["Content-Type: application/json"], body)
            let picture = try socket.read()
            #expect(picture.head.contains("\r\nContent-Type: image/png"))
            #expect(try firstPixel(picture.body) == [15, 6, 0])
            try socket.send("GET", "/health", [], [])
            #expect(try socket.read().body == Array(#"{"status":"ready"}"#.utf8))
            // An encoded slash is part of a name, and divides nothing.
            for path in ["/nowhere", "/v1%2Fmodels", "/v1/models%2Fm", "/%2Fhealth"] {
                try socket.send("GET", path, [], [])
                let refused = try socket.read()
                #expect(refused.head.hasPrefix("HTTP/1.1 404 Not Found\r\n"))
                #expect(String(decoding: refused.body, as: UTF8.self).contains("'\(path)'"))
            }
        }
    }

    @Test func aBoundaryThatIsNotTextIsShownAsItWasSent() throws {
        let client = try Client()
        try serving(client) { port in
            let socket = try SocketClient(port: port)
            let head = Array("POST /v1/encode HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n".utf8)
            let type = Array("Content-Type: multipart/form-data; boundary=\"a".utf8) + [0xFF]
            try socket.send(head + type + Array("b\"\r\n\r\nx".utf8))
            let refused = try JSONValue.parse(try socket.read().body)
            let message = try #require(refused["error"]?["message"]?.stringValue)
            #expect(message.hasPrefix(#"the boundary "a\xffb" in Content-Type holds what none may"#), "\(message)")
        }
    }

    @Test func aBodyOverTheLimitIsRefusedBeforeItIsSent() throws {
        let client = try Client()
        try serving(client) { port in
            let socket = try SocketClient(port: port)
            let head = "POST /v1/encode HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\nContent-Length: 20971521\r\n"
            try socket.send(Array((head + "Expect: 100-continue\r\n\r\n").utf8))
            let answer = try socket.read()
            #expect(answer.head.hasPrefix("HTTP/1.1 413 "))
            #expect(try JSONValue.parse(answer.body)["error"]?["request_id"] != nil)
        }
    }

    @Test func aClientThatLeavesIsNoticedWhileItWaits() throws {
        let client = try Client()
        try serving(client) { port in
            let first = try SocketClient(port: port)
            client.gate.close()
            try first.send("POST", "/v1/encode", ["Content-Type: image/png"], png(1))
            try #require(client.gate.awaitArrival())
            do {
                let second = try SocketClient(port: port)
                try second.send("POST", "/v1/encode", ["Content-Type: image/png"], png(2))
                #expect(eventually { client.service.engine.waiting > 0 })
                second.reset()
            }
            // Closed with a reset: its work leaves the queue although the engine is held.
            #expect(eventually { client.service.engine.waiting == 0 })
            client.gate.open()
            #expect(try first.read().head.hasPrefix("HTTP/1.1 200 OK\r\n"))
        }
    }

    @Test func aStopAnswersWhatWasAccepted() throws {
        let client = try Client()
        let ended = DispatchSemaphore(value: 0)
        let server = HTTPServer(configuration: .init(listen: ["127.0.0.1:0"]), handler: client.service)
        guard case .tcp(_, let port) = try #require(try server.start().first) else { return }
        let socket = try SocketClient(port: port)
        client.gate.close()
        try socket.send("POST", "/v1/encode", ["Content-Type: image/png"], png(1))
        try #require(client.gate.awaitArrival())
        client.service.beginDrain()
        client.service.refuseRequests()
        server.shutdown(grace: .seconds(20)) { lost in
            #expect(lost == 0)
            client.service.finish(grace: .seconds(20)) { lost in
                #expect(lost == 0)
                ended.signal()
            }
        }
        client.gate.open()
        let answer = try socket.read()
        #expect(answer.head.hasPrefix("HTTP/1.1 200 OK\r\n"))
        #expect(answer.head.contains("\r\nConnection: close"))
        #expect(ended.comes())
    }

    /// Uploads that come no further; the last one's header hasn't ended.
    @Test(arguments: [
        "POST /v1/encode HTTP/1.1\r\nContent-Type: image/png\r\nContent-Length: 100\r\nHost: x\r\n\r\nabc",
        "POST /v1/decode HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\nHost: x\r\n\r\n{",
        "POST /v1/reconstruct HTTP/1.1\r\nContent-Type: image/png\r\nTransfer-Encoding: chunked\r\nHost: x\r\n\r\n"
            + "2\r\nab\r\n",
        "POST /v1/encode HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 9\r\nHost: x\r\n"
            + "\r\n--b",
        "POST /v2/models/m/infer HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 100\r\nHost: x\r\n\r\n{",
        "POST /v1/encode HTTP/1.1\r\nContent-Type: image/png\r\n",
    ])
    func aStopAnswersUploadsThatDoNotEnd(_ begun: String) throws {
        let client = try Client()
        let ended = DispatchSemaphore(value: 0)
        var configuration = HTTPServer.Configuration(listen: ["127.0.0.1:0"])
        configuration.limits.drainRequest = .milliseconds(100)
        let server = HTTPServer(configuration: configuration, handler: client.service)
        guard case .tcp(_, let port) = try #require(try server.start().first) else { return }
        let socket = try SocketClient(port: port)
        try socket.send(begun)
        let hasBody = begun.contains("\r\n\r\n")
        #expect(eventually { server.connectionCount == 1 && (server.uploadBytes > 0) == hasBody })
        client.service.beginDrain()
        client.service.refuseRequests()
        server.shutdown(grace: .seconds(600)) { lost in
            #expect(lost == 0)
            ended.signal()
        }
        let answer = try socket.read()
        #expect(answer.status == 503)
        #expect(answer.head.contains("\r\nRetry-After: 1\r\n") && answer.head.contains("\r\nConnection: close"))
        let error = try JSONValue.parse(answer.body)["error"]
        if begun.contains("/v2/") {
            #expect(error?.stringValue?.hasPrefix("the service is stopping") == true)
        } else {
            #expect(error?["code"] == "draining")
            let message = try #require(error?["message"]?.stringValue)
            #expect(message.hasPrefix("the service is stopping, and the "), "\(message)")
        }
        socket.end()
        #expect(ended.wait(timeout: .now() + 60) == .success)
        #expect(client.service.metrics.text().contains("tessera_rejected_total{reason=\"draining\"} 1\n"))
    }
}
