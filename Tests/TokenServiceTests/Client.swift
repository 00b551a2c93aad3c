import Batching
import Dispatch
import Foundation
import HTTPServer
import HTTPWire
import ImageInput
import JSON
import Patience
import Synchronization
import Testing
import TokenizerCore

@testable import TokenService

/// A request on its way; its answer, once it is there.
final class Pending: Sendable {
    private let response = Mutex<HTTPResponse?>(nil)
    private let arrived = DispatchSemaphore(value: 0)
    let exchange = Mutex<(any HTTPExchange)?>(nil)

    func put(_ value: HTTPResponse) {
        response.withLock { $0 = value }
        arrived.signal()
    }

    /// Blocks for the answer.
    func get() throws -> HTTPResponse {
        try #require(arrived.comes(), "no answer for \(Patience.limit)")
        return try #require(response.withLock { $0 })
    }

    var hasAnswer: Bool { response.withLock { $0 != nil } }

    /// As a connection does when its client disconnects.
    func cancel() {
        let exchange = exchange.withLock { exchange in
            defer { exchange = nil }
            return exchange
        }
        exchange?.cancel()
    }
}

/// A connection that no stream goes to.
private final class NoConnection: StreamConnection {
    func write(_ piece: [UInt8], to stream: ObjectIdentifier, taken: @escaping @Sendable (Bool) -> Void) {
        taken(false)
    }

    func finish(_ stream: ObjectIdentifier) {}
    func abort(_ stream: ObjectIdentifier) {}
}

extension TokenService {
    /// One that lets in whatever its queue has room for, however slow the machine.
    static func patient() -> TokenService {
        var configuration = ServiceConfiguration()
        configuration.longestWait = nil
        return TokenService(configuration: configuration)
    }
}

/// A service with fake models, spoken to without sockets.
struct Client: Sendable {
    let service: TokenService
    let gate = Gate()

    /// - Parameter models: by default the one model "m" with steps.
    init(
        _ models: [(String, TokenContract)] = [("m", .steps)], loads: Bool = true,
        _ configure: (inout ServiceConfiguration) -> Void = { _ in }
    ) throws {
        var configuration = ServiceConfiguration()
        // A slow machine refuses nothing that a test doesn't want refused.
        configuration.longestWait = nil
        configure(&configuration)
        service = TokenService(configuration: configuration)
        guard loads else { return }
        let settled = DispatchSemaphore(value: 0)
        let gate = gate
        service.engine.whenSettled { _ in settled.signal() }
        service.engine.start { models.map { ($0.0, FakeTokenizer($0.1) { gate.pass() }) } }
        try #require(settled.comes())
        try #require(service.engine.state == .ready)
    }

    static func head(_ method: String, _ target: String, _ headers: [(String, String)]) -> HTTPRequestHead {
        let parts = target.split(separator: "?", maxSplits: 1)
        let query = (parts.count > 1 ? parts[1] : "").split(separator: "&").map { pair in
            let sides = pair.split(separator: "=", maxSplits: 1)
            return QueryItem(String(sides[0]), sides.count > 1 ? String(sides[1]) : "")
        }
        return HTTPRequestHead(
            method: method, target: target, path: String(parts[0]), query: query,
            headers: HTTPHeaders(headers.map { HTTPField($0.0, $0.1) }))
    }

    /// Sends a request as the server would hand it over.
    func start(
        _ method: String, _ target: String, _ headers: [(String, String)] = [], _ body: [UInt8] = [],
        peer: String? = nil
    ) -> Pending {
        let pending = Pending()
        let head = Self.head(method, target, headers)
        switch service.begin(head, peer: peer) {
        case .respond(let response): pending.put(response)
        case .collect(let limit, let exchange) where body.count > limit:
            let error = HTTPWireError(status: 413, code: "body_too_large", message: "over \(limit) bytes")
            pending.put(exchange.response(to: error))
        case .collect(_, let exchange):
            pending.exchange.withLock { $0 = exchange }
            let responder = HTTPResponder(connection: NoConnection()) { delivery in
                // As a connection does, which hears of a disconnect no more behind the response.
                let isCancelled = pending.exchange.withLock { exchange in
                    defer { exchange = nil }
                    return exchange == nil
                }
                if isCancelled { return }
                guard case .response(let response) = delivery else { return pending.put(HTTPResponse(status: 599)) }
                pending.put(response)
            }
            exchange.run(body: body, responder: responder)
        }
        return pending
    }

    func send(
        _ method: String, _ target: String, _ headers: [(String, String)] = [], _ body: [UInt8] = []
    ) throws -> HTTPResponse {
        try start(method, target, headers, body).get()
    }

    func get(_ target: String) throws -> HTTPResponse { try send("GET", target) }

    func post(_ target: String, json: String, accept: String? = nil) throws -> HTTPResponse {
        let headers = [("Content-Type", "application/json")] + (accept.map { [("Accept", $0)] } ?? [])
        return try send("POST", target, headers, Array(json.utf8))
    }

    func post(
        _ target: String, _ type: String?, _ body: [UInt8], accept: String? = nil
    ) throws -> HTTPResponse {
        let headers = (type.map { [("Content-Type", $0)] } ?? []) + (accept.map { [("Accept", $0)] } ?? [])
        return try send("POST", target, headers, body)
    }
}

/// Waits until `condition` holds; whether it does.
func eventually(_ condition: () -> Bool) -> Bool { Patience.eventually(condition) }

/// A file of a 16 x 16 picture of one grey, on which the fake's tokens are the grey modulo 16.
func png(_ grey: UInt8, width: Int = 16, height: Int = 16) -> [UInt8] {
    encodePNG(RGBImage(width: width, height: height, pixels: [UInt8](repeating: grey, count: width * height * 3)))
}

func base64(_ bytes: [UInt8]) -> String { Data(bytes).base64EncodedString() }

/// A file among the pictures of ImageInput's tests.
func fixture(_ name: String) throws -> [UInt8] {
    let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    return [UInt8](try Data(contentsOf: tests.appendingPathComponent("ImageInputTests/Fixtures/pictures/\(name)")))
}

func text(_ response: HTTPResponse) -> String { String(decoding: response.body, as: UTF8.self) }

/// The member of an error answer.
func error(_ response: HTTPResponse, _ member: String) throws -> String? {
    let value = try JSONValue.parse(response.body)["error"]?[member]
    return try #require(value).stringValue
}

/// The colour of the first pixel of a picture file.
func firstPixel(_ file: [UInt8]) throws -> [UInt8] { Array(try decode(file).image.pixels.prefix(3)) }
