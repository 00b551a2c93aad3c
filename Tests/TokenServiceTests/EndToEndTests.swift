import Foundation
import HTTPServer
import ImageInput
import JSON
import Models
import Recipe
import SocketClient
import Testing
import TokenizerCore

@testable import TokenFormats
@testable import TokenService

/// Real models of both families behind a real socket: what arrives together changes nothing, and the command line's
/// functions give the same bytes.
@Suite(.serialized)
struct EndToEndTests {
    /// One request over a connection of its own; whether it succeeded, and the answer's body.
    static func post(
        _ path: String, _ type: String, _ body: [UInt8], port: UInt16
    ) async throws -> (succeeded: Bool, body: [UInt8]) {
        try await Task.detached {
            let socket = try SocketClient(port: port)
            try socket.send("POST", path, ["Content-Type: \(type)"], body)
            let answer = try socket.read()
            return (answer.status == 200, answer.body)
        }.value
    }

    @Test(.timeLimit(.minutes(15))) func tenAtOnceEqualTheCommandLine() async throws {
        let folders = [
            "sftok": try TemporaryModel.sftok(.tiny), "revq": try TemporaryModel.revq(.tiny, latentDeviation: 1),
        ]
        let sources = folders.map { ModelSource(id: $0.key, folder: $0.value.path) }.sorted { $0.id < $1.id }
        let service = TokenService.patient()
        let server = HTTPServer(configuration: .init(listen: ["127.0.0.1:0"]), handler: service)
        guard case .tcp(_, let port)? = try server.start().first else {
            Issue.record("no address")
            return
        }
        let state = await withCheckedContinuation { done in
            service.start(sources, whenSettled: { done.resume(returning: $0) })
        }
        #expect(state == .ready)
        for source in sources {
            let local = try ModelLoader.load(source)
            try await check(local, id: source.id, port: port)
        }
        #expect(await server.shutdown(grace: .seconds(5)) == 0)
        await withCheckedContinuation { done in service.finish(grace: .seconds(5)) { _ in done.resume() } }
    }

    /// Ten pictures of different sizes, encoded and decoded at once.
    private func check(_ local: LoadedModel, id: String, port: UInt16) async throws {
        let contract = local.description.contract
        let files = (0..<10).map { encodePNG(image("e2e\($0)", height: 200 + 30 * $0, width: 300)) }
        var expected: [[UInt8]] = [], pictures: [[UInt8]] = [], requests: [[UInt8]] = []
        for file in files {
            let prepared = try PreparedImage(
                file, options: PictureOptions(), preprocessing: contract.preprocessing, limits: ImageLimits())
            let tokens = try local.tokenizer.encode(prepared.image, options: EncodeOptions())
            let encoded = EncodedImage(source: prepared.source, tokens: tokens)
            expected.append(
                ResponseJSON.tokens(
                    [Result<EncodedImage, ServiceError>.success(encoded)], model: id, contract: contract,
                    idSpace: .local))
            pictures.append(encodePNG(try local.tokenizer.decode(tokens.ids, options: DecodeOptions(seed: 3))))
            let request: JSONValue = ["model": .string(id), "tokens": JSONValue(tokens.ids), "seed": 3]
            requests.append(request.write())
        }
        try await withThrowingTaskGroup(of: (Int, Bool).self) { group in
            for index in 0..<10 {
                let file = files[index], request = requests[index]
                let (tokens, picture) = (expected[index], pictures[index])
                group.addTask {
                    let encoded = try await Self.post("/v1/encode?model=\(id)", "image/png", file, port: port)
                    let decoded = try await Self.post("/v1/decode", "application/json", request, port: port)
                    let same = encoded.succeeded && encoded.body == tokens && decoded.succeeded
                    return (index, same && decoded.body == picture)
                }
            }
            for try await (index, same) in group { #expect(same, "\(id), picture \(index)") }
        }
    }
}
