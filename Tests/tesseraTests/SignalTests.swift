import Foundation
import ImageInput
import JSON
import Models
import Recipe
import SocketClient
import Testing
import TokenizerCore

@testable import tessera

/// Signals to the real executable.
@Suite(.serialized, .timeLimit(.minutes(5))) struct SignalTests {
    private static let picture = Recipe.image("signal", height: 256, width: 256)

    /// The contract and the tokens that the model gives in this process.
    private func known(_ folder: TemporaryModel) throws -> (contract: String, tokens: [Int32]) {
        let model = try ModelLoader.load(ModelSource(id: "m", folder: folder.path)).tokenizer
        return (model.contract.fingerprint, try model.encode(Self.picture, options: EncodeOptions()).ids)
    }

    private func serving(_ folder: TemporaryModel, _ arguments: [String] = []) throws -> ServedProcess {
        let service = try ServedProcess(["--model", "m=\(folder.path)"] + arguments)
        try #require(try ServedProcess.eventually { try service.ask("GET", "/health/ready").status == 200 })
        return service
    }

    private func check(_ service: ServedProcess, _ known: (contract: String, tokens: [Int32])) throws {
        let answer = try service.ask("POST", "/v1/encode", type: "image/png", encodePNG(Self.picture))
        #expect(answer.status == 200)
        let value = try JSONValue.parse(answer.body)
        #expect(value["contract"]?.stringValue == known.contract)
        #expect(value["data"]?[0]?["tokens"] == JSONValue(known.tokens))
    }

    private func replaceWeights(of folder: TemporaryModel, by path: String) throws {
        let new = folder.path + "/new"
        try FileManager.default.copyItem(atPath: path, toPath: new)
        try #require(rename(new, folder.path + "/model.safetensors") == 0)
    }

    @Test func aHangUpReloadsTheModels() throws {
        let (first, second) = (try TemporaryModel.sftok(.tiny, seed: 1), try TemporaryModel.sftok(.tiny, seed: 2))
        let (before, after) = (try known(first), try known(second))
        let service = try serving(first)
        try check(service, before)

        try first.write("not a model", to: "bad")
        try replaceWeights(of: first, by: first.path + "/bad")
        service.send(SIGHUP)
        let refusal = "models not reloaded, nothing is changed: \(first.path)/model.safetensors"
        #expect(ServedProcess.eventually { service.text.contains(refusal) }, "\(service.text)")
        #expect(try service.ask("GET", "/health/ready").status == 200)
        try check(service, before)

        try replaceWeights(of: first, by: second.path + "/model.safetensors")
        service.send(SIGHUP)
        #expect(ServedProcess.eventually { service.text.contains("reloaded models: ") }, "\(service.text)")
        try check(service, after)
        let page = String(decoding: try service.ask("GET", "/metrics").body, as: UTF8.self)
        #expect(page.contains("tessera_model_reloads_total{result=\"failure\"} 1\n"))
        #expect(page.contains("tessera_model_reloads_total{result=\"success\"} 1\n"))

        service.send(SIGTERM)
        service.process.awaitEnd()
        #expect(service.process.terminationReason == .exit && service.process.terminationStatus == 0)
    }

    @Test func aStopUnderLoadLosesNoAcceptedRequest() throws {
        let folder = try TemporaryModel.sftok(.tiny, seed: 1)
        let expected = try known(folder)
        let service = try serving(folder, ["--longest-wait", "0", "--grace", "240", "--request-timeout", "600"])
        let request = ServedProcess.request("POST", "/v1/encode", type: "image/png", encodePNG(Self.picture))
        let connections = try (0..<200).map { _ in
            let connection = try SocketClient(port: service.port)
            try connection.send(request)
            return connection
        }
        try #require(
            try ServedProcess.eventually { try service.metric("tessera_connections") ?? 0 > 200 })
        service.send(SIGTERM)
        let all = connections.map { try? $0.read() }
        #expect(connections.allSatisfy { $0.isAtEnd() })
        service.process.awaitEnd()
        #expect(service.process.terminationReason == .exit && service.process.terminationStatus == 0, "\(service.text)")
        for answer in all {
            let answer = try #require(answer, "a connection ended without a whole answer")
            // Requests that had not been read when the signal came are refused with 503.
            guard answer.status == 200 else {
                #expect(answer.status == 503)
                continue
            }
            #expect(try JSONValue.parse(answer.body)["data"]?[0]?["tokens"] == JSONValue(expected.tokens))
        }
        #expect(all.contains { $0?.status == 200 })
    }

    @Test func requestsAreServedDuringTheDelayAndASecondSignalEndsIt() throws {
        let folder = try TemporaryModel.sftok(.tiny, seed: 1)
        let service = try serving(folder, ["--drain-delay", "3600"])
        service.send(SIGINT)
        #expect(try ServedProcess.eventually { try service.ask("GET", "/health/ready").status == 503 })
        try check(service, try known(folder))
        // A service that is stopping doesn't reload.
        service.send(SIGHUP)
        #expect(
            ServedProcess.eventually { service.text.contains("models not reloaded, nothing is changed: draining") },
            "\(service.text)")
        // The first signal came before this; what follows comes later than a second after it.
        usleep(1_100_000)
        service.send(SIGTERM)
        service.process.awaitEnd()
        #expect(service.process.terminationReason == .exit && service.process.terminationStatus == 1)
        #expect(ServedProcess.eventually { service.text.contains("second signal") })
    }

    /// GNU timeout signals the process, then its group.
    @Test func signalsWithinASecondOfTheFirstAreOneStop() throws {
        let folder = try TemporaryModel.sftok(.tiny, seed: 1)
        let expected = try known(folder)
        let service = try serving(folder, ["--drain-delay", "5"])
        for signal in [SIGTERM, SIGINT, SIGTERM] {
            service.send(signal)
            usleep(20_000)
        }
        #expect(ServedProcess.eventually { service.text.contains("within a second of the first") }, "\(service.text)")
        try check(service, expected)
        service.process.awaitEnd()
        #expect(service.process.terminationReason == .exit && service.process.terminationStatus == 0, "\(service.text)")
    }

    @Test func theEndOfTheGraceLogsLostRequests() throws {
        let folder = try TemporaryModel.sftok(.tiny, seed: 1)
        let service = try serving(folder, ["--grace", "0"])
        let sequences = JSONValue([JSONValue](repeating: JSONValue([Int32](repeating: 7, count: 64)), count: 64))
        let body: JSONValue = ["tokens": sequences, "steps": 64]
        let connection = try SocketClient(port: service.port)
        try connection.send(ServedProcess.request("POST", "/v1/decode", type: "application/json", body.write()))
        try #require(try ServedProcess.eventually { try service.metric("tessera_queue_depth") ?? 0 > 0 })
        service.send(SIGTERM)
        service.process.awaitEnd()
        #expect(service.process.terminationReason == .exit && service.process.terminationStatus == 1)
        #expect(ServedProcess.eventually { service.text.contains(": 1 requests lost, ") }, "\(service.text)")
    }

    @Test func defaultsAreThoseOfTheInterface() {
        let settings = ServeSettings()
        #expect(settings.listen == ["127.0.0.1:8080"])
        #expect(settings.queuedImages == 256 && settings.imagesPerRequest == 64 && settings.connections == 10_000)
        #expect(settings.maxDelay == 0 && settings.drainDelay == 0 && settings.grace == 30)
    }
}
