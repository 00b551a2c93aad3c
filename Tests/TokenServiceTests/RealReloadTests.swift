import Batching
import Dispatch
import Foundation
import HTTPWire
import JSON
import MetricsReader
import Models
import Patience
import Recipe
import Synchronization
import Testing
import TokenizerCore

@testable import TokenService

/// Real models, replaced over and over while requests of every kind run.
@Suite(.serialized, .timeLimit(.minutes(5))) struct RealReloadTests {
    private static let rounds = 6

    /// The folder that is served and those that its weights come from, for one model.
    private struct Family {
        let id: String
        let served: TemporaryModel
        let versions: [TemporaryModel]
        let known: [String: KnownAnswers]

        init(_ id: String, _ pictures: [KnownPicture], _ make: (_ seed: UInt64) throws -> TemporaryModel) throws {
            self.id = id
            let versions = try [1, 2].map(make)
            self.versions = versions
            served = try make(1)
            // A ReVQ's VAE stays the served folder's: the versions are told apart by their codebooks.
            var known: [String: KnownAnswers] = [:]
            for version in versions {
                try served.replaceWeights(by: version)
                let answers = try KnownAnswers(ModelSource(id: id, folder: served.path), pictures)
                known[answers.contract.fingerprint] = answers
            }
            self.known = known
        }
    }

    @Test func everyAnswerIsThatOfTheContractItNames() throws {
        let pictures = try (0..<3).map { try KnownPicture("reload\($0)") }
        let families = [
            try Family("s", pictures) { try .sftok(.tiny, seed: $0) },
            try Family("r", pictures) { try .revq(.tiny, seed: $0, latentDeviation: 1) },
        ]
        for family in families { try #require(family.known.count == 2) }
        let client = try Client(loads: false)
        let sources = families.map { ModelSource(id: $0.id, folder: $0.served.path) }
        let settled = DispatchSemaphore(value: 0)
        client.service.start(sources, threads: 2, whenSettled: { _ in settled.signal() })
        try #require(settled.comes(within: Patience.long))
        let isOver = Atomic<Bool>(false)
        let callers = DispatchGroup()
        defer {
            isOver.store(true, ordering: .releasing)
            callers.wait()
        }
        let seen = Mutex<Set<String>>([])
        var served: Set<String> = []
        for family in families {
            let (id, known) = (family.id, family.known)
            DispatchQueue.global().async(group: callers) {
                while !isOver.load(ordering: .acquiring) {
                    do {
                        let contract = try Self.ask(client, id, known, pictures)
                        seen.withLock { _ = $0.insert(contract) }
                    } catch {
                        Issue.record(error)
                    }
                }
            }
        }
        for round in 0..<Self.rounds {
            for family in families { try family.served.replaceWeights(by: family.versions[round % 2]) }
            try reload(client, sources)
            let contracts = client.service.engine.models.map(\.contract.fingerprint)
            #expect(zip(contracts, families).allSatisfy { $1.known[$0] != nil })
            // Callers go on, and both have an answer of the new before the next reload.
            seen.withLock { $0 = [] }
            #expect(eventually { seen.withLock { $0.isSuperset(of: contracts) } })
            served.formUnion(contracts)
        }
        #expect(served.count == 4)
        let page = try MetricsPage(text(client.get("/metrics")))
        #expect(page.value("tessera_model_reloads_total", ["result": "success"]) == Double(Self.rounds))
        #expect(page.value("tessera_model_reloads_total", ["result": "failure"]) == 0)
    }

    private func reload(_ client: Client, _ sources: [ModelSource]) throws {
        let ended = DispatchSemaphore(value: 0)
        client.service.reload(sources, threads: 2) { result in
            #expect(throws: Never.self) { try result.get() }
            ended.signal()
        }
        try #require(ended.comes(within: Patience.long))
    }

    /// Three pictures in one request, and their tokens back; the contract of the tokens.
    private static func ask(
        _ client: Client, _ id: String, _ known: [String: KnownAnswers], _ pictures: [KnownPicture]
    ) throws -> String {
        let input = pictures.map { "\"\(base64($0.file))\"" }.joined(separator: ",")
        let encoded = try client.post("/v1/encode", json: "{\"model\":\"\(id)\",\"input\":[\(input)]}")
        try #require(encoded.status == 200, "\(text(encoded))")
        let answer = try JSONValue.parse(encoded.body)
        let contract = try #require(answer["contract"]?.stringValue)
        #expect(encoded.headers.first("X-Tessera-Contract") == contract)
        let expected = try #require(known[contract])
        for index in pictures.indices {
            #expect(answer["data"]?[index]?["tokens"] == JSONValue(expected.tokens[index]), "\(id) \(index)")
        }
        let request: JSONValue = [
            "model": .string(id), "contract": .string(contract), "tokens": JSONValue(expected.tokens[0]),
        ]
        let decoded = try client.post("/v1/decode", "application/json", request.write())
        // Replaced in between: refused, never decoded by the other.
        try #require(decoded.status == 200 || decoded.status == 409, "\(text(decoded))")
        let isSame = decoded.headers.first("X-Tessera-Contract") == contract
        #expect(isSame == (decoded.status == 200))
        if isSame { #expect(decoded.body == expected.pictures[0], "\(id)") }
        return contract
    }

    /// Neither a file that isn't a model's, nor one of weights whose last number is NaN.
    @Test(arguments: [false, true]) func badFilesChangeNothing(isModel: Bool) throws {
        let pictures = [try KnownPicture("reload")]
        let folder = try TemporaryModel.sftok(.tiny, seed: 1)
        let source = ModelSource(id: "s", folder: folder.path)
        let known = try KnownAnswers(source, pictures, decodes: false)
        let client = try Client(loads: false)
        let settled = DispatchSemaphore(value: 0)
        client.service.start([source], whenSettled: { _ in settled.signal() })
        try #require(settled.comes(within: Patience.long))
        let bad = try isModel ? TemporaryModel.sftok(.tiny, seed: 2) : TemporaryModel()
        if isModel {
            let path = URL(fileURLWithPath: bad.path + "/model.safetensors")
            try (Data(contentsOf: path).dropLast(4) + [0, 0, 0xC0, 0x7F]).write(to: path)
        } else {
            try bad.write("{", to: "model.safetensors")
        }
        try folder.replaceWeights(by: bad)
        let outcome = Mutex("")
        client.service.reload([source]) { result in
            if case .failure(.failed(let message)) = result { outcome.withLock { $0 = message } }
            settled.signal()
        }
        try #require(settled.comes(within: Patience.long))
        let message = outcome.withLock { $0 }
        #expect(message.contains(folder.path + "/model.safetensors") && !message.contains("\n"), "\(message)")
        #expect(message.contains("holds nan at") == isModel, "\(message)")
        let answer = try JSONValue.parse(try client.post("/v1/encode", "image/png", pictures[0].file).body)
        #expect(answer["contract"]?.stringValue == known.contract.fingerprint)
        #expect(answer["data"]?[0]?["tokens"] == JSONValue(known.tokens[0]))
        let page = try MetricsPage(text(client.get("/metrics")))
        #expect(page.value("tessera_model_reloads_total", ["result": "failure"]) == 1)
    }
}
