import Foundation
import Glibc
import JSON
import Recipe
import SocketClient
import Testing

@testable import tessera

/// `tessera serve` as a process.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ServeCommandTests {
    private static let keys = ["the-first-key-of-all", "the-second-key-of-all"]

    /// The first line of a JSON log that satisfies `isIt`; waits for it, a minute at most.
    private func line(_ service: ServedProcess, _ isIt: (JSONValue) -> Bool) throws -> JSONValue {
        var found: JSONValue?
        let isThere = ServedProcess.eventually {
            found = lines(service).first { isIt($0) }
            return found != nil
        }
        return try #require(found, "no such line: \(isThere), \(service.text)")
    }

    /// The whole lines so far; one that isn't JSON is `nil`.
    private func lines(_ service: ServedProcess) -> [JSONValue] {
        let text = service.text
        let end = text.lastIndex(of: "\n") ?? text.startIndex
        return text[..<end].split(separator: "\n").map { (try? JSONValue.parse(Array($0.utf8))) ?? .null }
    }

    private func message(_ service: ServedProcess, _ start: String) throws -> String? {
        try line(service) { $0["message"]?.stringValue?.hasPrefix(start) == true }["message"]?.stringValue
    }

    /// The status of a response.
    private func status(_ service: ServedProcess, _ path: String, key: String?, id: String = "x") throws -> Int? {
        let field = key.map { "Authorization: Bearer \($0)\r\n" } ?? ""
        let connection = try SocketClient(port: service.port)
        let head = "GET \(path) HTTP/1.1\r\nHost: x\r\nX-Request-Id: \(id)\r\nConnection: close\r\n\(field)\r\n"
        try connection.send(Array(head.utf8))
        return try connection.read().status
    }

    @Test func keysAreReadAgainAtSIGHUP() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: file) }
        try "# ours\n\(Self.keys[0])\n".write(to: file, atomically: true, encoding: .utf8)
        let service = try ServedProcess(["--threads", "1", "--log-format", "json", "--api-key-file", file.path])
        #expect(try status(service, "/health/live", key: nil) == 200)
        #expect(try status(service, "/nowhere?secret", key: nil, id: "first") == 401)
        #expect(try status(service, "/nowhere", key: Self.keys[0]) == 404)
        #expect(try status(service, "/nowhere", key: Self.keys[1]) == 401)

        try Self.keys[1].write(to: file, atomically: true, encoding: .utf8)
        service.send(SIGHUP)
        #expect(try message(service, "reloaded API keys") == "reloaded API keys: 1 keys")
        #expect(try status(service, "/nowhere", key: Self.keys[0]) == 401)
        #expect(try status(service, "/nowhere", key: Self.keys[1]) == 404)

        try "short-secret".write(to: file, atomically: true, encoding: .utf8)
        service.send(SIGHUP)
        let refused = try line(service) { $0["level"] == "error" }
        #expect(
            refused["message"]?.stringValue == "API keys not reloaded, nothing is changed: \(file.path), line 1: "
                + "the key has 12 characters, expected 16 to 512")
        #expect(try status(service, "/nowhere", key: Self.keys[1]) == 404)

        let line = try line(service) { $0["request_id"] == "first" }
        #expect(line["status"] == 401 && line["path"] == "/nowhere" && line["method"] == "GET")
        #expect(line["peer"]?.stringValue?.hasPrefix("127.0.0.1:") == true)
        service.send(SIGTERM)
        service.process.awaitEnd()
        #expect(service.process.terminationReason == .exit && service.process.terminationStatus == 0)
        #expect(try message(service, "stopped") == "stopped")
        #expect(lines(service).allSatisfy { $0["time"] != nil && $0["level"] != nil }, "\(service.text)")
    }

    /// In JSON they are numbers, not strings.
    @Test func numbersOfTheLogAreNumbers() throws {
        let service = try ServedProcess(["--threads", "1024", "--log-format", "json", "--access-log", "all"])
        let loaded = try line(service) { $0["message"]?.stringValue?.hasPrefix("loaded ") == true }
        #expect(loaded["tokens"] == 512 && loaded["codes"]?.intValue != nil && loaded["precision"] == "fp32")
        let warning = try line(service) { $0["level"] == "warning" }
        #expect(warning["message"]?.stringValue?.hasPrefix("--threads is 1024, more than the ") == true)
        #expect(try ServedProcess.eventually { try service.ask("GET", "/health/ready").status == 200 })
        let tokens = "{\"tokens\":[\((0..<512).map { "\($0 % 16)" }.joined(separator: ","))]}"
        let answer = try service.ask("POST", "/v1/decode", type: "application/json", Array(tokens.utf8))
        #expect(answer.status == 200, "\(answer.text)")
        let request = try line(service) { $0["path"] == "/v1/decode" }
        #expect(request["status"] == 200 && request["images"] == 1)
        #expect(
            request["bytes_in"]?.intValue == tokens.utf8.count && request["bytes_out"]?.intValue == answer.body.count)
        for name in ["duration_ms", "queue_ms", "inference_ms"] {
            #expect((request[name]?.doubleValue ?? -1) >= 0, "\(name)")
        }
        for name in ["request_id", "model", "method", "peer"] { #expect(request[name]?.stringValue != nil, "\(name)") }
    }

    /// A folder's own name with an equals sign, where one stands in the working folder, and an id before it.
    @Test(arguments: [
        ("a=b", "a-b"), ("a=b,precision=fp32", "a-b"), ("x=a=b", "x"),
        ("x=a=b,precision=fp32", "x"), ("./a=b", "a-b"),
        ("a=b/", "a-b"),
    ])
    func aFolderMayHaveAnEqualsSign(text: String, expected: String) throws {
        let model = try TemporaryModel.sftok(.tiny), out = model.path + "/out"
        let shell =
            "mkdir -p \(model.path)/c/a=b; mv \(model.path)/[cm]*.[js]* \(model.path)/c/a=b; cd \(model.path)/c; "
            + "exec > \(out)"
        let result = try TesseraProcess.run(["inspect", "--threads", "1", text], shell: shell)
        #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
        let found = try String(contentsOfFile: out, encoding: .utf8)
        #expect(found.split(separator: "\n").first?.split(separator: " ") == ["model", Substring(expected)])
    }

    @Test(arguments: [
        (["--grace", "x"], "--grace: found 'x', expected an integer from 0 to 3600", Int32(2)),
        (["--grace", "-1"], "--grace: found '-1', expected an integer from 0 to 3600", 2),
        (["--api-key-file", "/dev/zero"], "/dev/zero: goes on after 1048576 bytes, expected no more", 1),
        (["--config", "/dev/zero"], "/dev/zero: goes on after 1048576 bytes, expected no more", 1),
        (["--config", "/nowhere.yaml"], "/nowhere.yaml: cannot be read: No such file or directory", 1),
        (["--api-key-file", "/nowhere"], "/nowhere: cannot be read: No such file or directory", 1),
    ])
    func whatIsWrongEndsTheStart(arguments: [String], expected: String, status: Int32) throws {
        let result = try TesseraProcess.run(["serve", "--print-config"] + arguments)
        #expect(result.status == status && !result.wasKilled)
        #expect(result.errors.contains(expected), "\(result.errors)")
    }

    @Test func theSpinCountIsSetWhereTheUserHasNotSetIt() throws {
        func environment(_ shell: String) throws -> [String] {
            let service = try ServedProcess(
                ["--threads", "1"], shell: "unset GOMP_SPINCOUNT OMP_WAIT_POLICY; \(shell)")
            let bytes = try Data(contentsOf: URL(filePath: "/proc/\(service.process.processIdentifier)/environ"))
            return bytes.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
        }
        #expect(try environment("true").contains("GOMP_SPINCOUNT=\(Spinning.count)"))
        #expect(try environment("export GOMP_SPINCOUNT=7").contains("GOMP_SPINCOUNT=7"))
        #expect(try !environment("export OMP_WAIT_POLICY=passive").contains { $0.hasPrefix("GOMP_SPINCOUNT=") })
    }

    /// Bodies that grow at the same time are interleaved in memory; it is given back all the same. AddressSanitizer's
    /// allocator doesn't give back.
    @Test(.enabled(if: ProcessInfo.processInfo.environment["ASAN_OPTIONS"] == nil))
    func memoryOfBodiesIsGivenBack() throws {
        let served = try ServedProcess([])
        #expect(try ServedProcess.eventually { try served.ask("GET", "/health/ready").status == 200 })
        func resident() throws -> Int {
            let status = try String(contentsOfFile: "/proc/\(served.process.processIdentifier)/status", encoding: .utf8)
            let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") })
            return try #require(line.split(separator: " ").dropLast().last.flatMap { Int($0) }) >> 10
        }
        let before = try resident()
        let piece = [UInt8](repeating: 32, count: 65536), pieces = 20
        let clients = try (0..<200).map { _ in try SocketClient(port: served.port) }
        for client in clients {
            try client.send(
                "POST /v1/encode HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
                    + "Content-Length: \(piece.count * pieces)\r\n\r\n")
        }
        for _ in 0..<pieces { for client in clients { try client.send(piece) } }
        for client in clients { #expect(try client.read().status == 415) }
        #expect(try ServedProcess.eventually { try resident() < before + 64 }, "\(before) MiB")
    }

    @Test func theConfigurationIsPrinted() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: file) }
        let shell = "export TESSERA_GRACE=7 TESSERA_PORT=tcp://x TESSERA_API_KEYS=\(Self.keys[0])"
        let result = try TesseraProcess.run(
            ["serve", "--print-config", "--max-batch", "3"], shell: "\(shell); exec > \(file.path)")
        #expect(result.status == 0 && result.errors.isEmpty, "\(result.errors)")
        let text = try String(contentsOf: file, encoding: .utf8)
        #expect(text.contains("max-batch: 3  # flag\n") && text.contains("grace: 7  # environment TESSERA_GRACE\n"))
        #expect(!text.contains(Self.keys[0]))
        let again = try TesseraProcess.run(
            ["serve", "--print-config", "--config", file.path], shell: "exec > \(file.path).again")
        defer { try? FileManager.default.removeItem(atPath: "\(file.path).again") }
        #expect(again.status == 0, "\(again.errors)")
        let read = try String(contentsOfFile: "\(file.path).again", encoding: .utf8)
        #expect(read.contains("max-batch: 3  # file\n") && read.contains("grace: 7  # file\n"))
    }
}
