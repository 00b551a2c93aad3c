import Foundation
import Glibc
import JSON
import Synchronization
import Testing

@testable import tessera

/// `tessera serve` as a process.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ServeCommandTests {
    private static let keys = ["the-first-key-of-all", "the-second-key-of-all"]

    /// A running service whose log is read line by line.
    ///
    /// `@unchecked Sendable`: the process is only waited for.
    private final class Service: @unchecked Sendable {
        struct Missing: Error {
            let description: String
        }

        private let lines = Mutex<[JSONValue]>([])
        private let unreadable = Mutex<[String]>([])
        private let process: Process
        let identifier: Int32

        init(_ arguments: [String]) throws {
            let pipe = Pipe()
            process = try TesseraProcess.start(
                ["serve", "--listen", "127.0.0.1:0", "--threads", "1", "--log-format", "json"] + arguments, errors: pipe
            )
            identifier = process.processIdentifier
            let reader = pipe.fileHandleForReading
            Thread { [self] in
                var rest = Data()
                while let data = try? reader.read(upToCount: 65_536), !data.isEmpty {
                    rest += data
                    while let end = rest.firstIndex(of: 0x0A) {
                        take(Array(rest[rest.startIndex..<end]))
                        rest = Data(rest[rest.index(after: end)...])
                    }
                }
            }.start()
        }

        private func take(_ line: [UInt8]) {
            if let value = try? JSONValue.parse(line), value["time"] != nil, value["level"] != nil {
                lines.withLock { $0.append(value) }
            } else {
                unreadable.withLock { $0.append(String(decoding: line, as: UTF8.self)) }
            }
        }

        /// Lines that are no JSON.
        var others: [String] { unreadable.withLock { $0 } }

        /// Waits for a line, a minute at most.
        func line(_ isIt: (JSONValue) -> Bool) throws -> JSONValue {
            for _ in 0..<6000 {
                if let line = lines.withLock({ $0.first(where: isIt) }) { return line }
                usleep(10_000)
            }
            throw Missing(description: "no such line in \(lines.withLock { $0 }), \(others)")
        }

        func message(_ start: String) throws -> String {
            try #require(try line { $0["message"]?.stringValue?.hasPrefix(start) == true }["message"]?.stringValue)
        }

        func port() throws -> UInt16 {
            try #require(try message("listening on ").split(separator: ":").last.flatMap { UInt16($0) })
        }

        /// Ends it as an operator does.
        func stop() -> Int32 {
            kill(identifier, SIGTERM)
            process.waitUntilExit()
            return process.terminationStatus
        }
    }

    /// The status of an answer.
    private func status(_ port: UInt16, _ path: String, key: String?, id: String = "x") throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let connected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(connected == 0)
        let field = key.map { "Authorization: Bearer \($0)\r\n" } ?? ""
        let request = "GET \(path) HTTP/1.1\r\nHost: x\r\nX-Request-Id: \(id)\r\nConnection: close\r\n\(field)\r\n"
        try #require(send(descriptor, request, request.utf8.count, Int32(MSG_NOSIGNAL)) == request.utf8.count)
        var answer: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while case let count = recv(descriptor, &buffer, buffer.count, 0), count > 0 { answer += buffer[..<count] }
        return try #require(Int(String(decoding: answer.dropFirst(9).prefix(3), as: UTF8.self)))
    }

    @Test func keysAreReadAgainAtSIGHUP() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: file) }
        try "# ours\n\(Self.keys[0])\n".write(to: file, atomically: true, encoding: .utf8)
        let service = try Service(["--api-key-file", file.path])
        let port = try service.port()
        #expect(try status(port, "/health/live", key: nil) == 200)
        #expect(try status(port, "/nowhere?secret", key: nil, id: "first") == 401)
        #expect(try status(port, "/nowhere", key: Self.keys[0]) == 404)
        #expect(try status(port, "/nowhere", key: Self.keys[1]) == 401)

        try Self.keys[1].write(to: file, atomically: true, encoding: .utf8)
        kill(service.identifier, SIGHUP)
        #expect(try service.message("reloaded API keys") == "reloaded API keys: 1 keys")
        #expect(try status(port, "/nowhere", key: Self.keys[0]) == 401)
        #expect(try status(port, "/nowhere", key: Self.keys[1]) == 404)

        try "short-secret".write(to: file, atomically: true, encoding: .utf8)
        kill(service.identifier, SIGHUP)
        let refused = try service.line { $0["level"] == "error" }
        #expect(
            refused["message"]?.stringValue == "API keys not reloaded, nothing is changed: \(file.path), line 1: "
                + "the key has 12 characters, expected 16 to 512")
        #expect(try status(port, "/nowhere", key: Self.keys[1]) == 404)

        let line = try service.line { $0["request_id"] == "first" }
        #expect(line["status"] == 401 && line["path"] == "/nowhere" && line["method"] == "GET")
        #expect(line["peer"]?.stringValue?.hasPrefix("127.0.0.1:") == true)
        #expect(service.stop() == 0)
        #expect(try service.message("stopped") == "stopped")
        #expect(service.others.isEmpty)
    }

    @Test(arguments: [
        (["--grace", "x"], "--grace: found 'x', expected an integer from 0 to 3600", Int32(2)),
        (["--config", "/nowhere.yaml"], "/nowhere.yaml: cannot be read: No such file or directory", 1),
        (["--api-key-file", "/nowhere"], "/nowhere: cannot be read: No such file or directory", 1),
    ])
    func whatIsWrongEndsTheStart(arguments: [String], expected: String, status: Int32) throws {
        let result = try TesseraProcess.run(["serve", "--print-config"] + arguments)
        #expect(result.status == status && !result.wasKilled)
        #expect(result.errors.contains(expected), "\(result.errors)")
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
