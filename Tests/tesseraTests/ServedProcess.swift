import Foundation
import Glibc
import Patience
import SocketClient
import Synchronization
import Testing

/// `tessera serve` as its own process, on a free port of 127.0.0.1.
///
/// `@unchecked Sendable`: the process is only signalled and waited for.
final class ServedProcess: @unchecked Sendable {
    let process: Process
    let port: UInt16
    private let log: Log
    private let errors = Pipe()

    private final class Log: Sendable {
        let text: Mutex<String>

        init(_ text: String) { self.text = Mutex(text) }
    }

    /// - Parameter shell: bash commands that come first, such as `export`.
    init(_ arguments: [String], shell: String? = nil) throws {
        process = try TesseraProcess.start(
            ["serve", "--listen", "127.0.0.1:0"] + arguments, errors: errors, shell: shell)
        let watch = process.killed(after: Patience.long)
        defer { watch.cancel() }
        var text = ""
        let reader = errors.fileHandleForReading
        var found: UInt16?
        while found == nil {
            let data = reader.availableData
            guard !data.isEmpty else { break }
            text += String(decoding: data, as: UTF8.self)
            guard let place = text.firstRange(of: "listening on 127.0.0.1:"), text.hasSuffix("\n") else { continue }
            found = UInt16(text[place.upperBound...].prefix { $0.isNumber })
        }
        let log = Log(text)
        self.log = log
        port = try #require(found, "\(text)")
        reader.readabilityHandler = { handle in
            let data = handle.availableData
            if data.isEmpty { handle.readabilityHandler = nil }
            log.text.withLock { $0 += String(decoding: data, as: UTF8.self) }
        }
    }

    deinit {
        errors.fileHandleForReading.readabilityHandler = nil
        if process.isRunning { kill(process.processIdentifier, SIGKILL) }
    }

    /// What it has logged so far.
    var text: String { log.text.withLock { $0 } }

    func send(_ signal: Int32) { kill(process.processIdentifier, signal) }

    /// Waits until `condition` holds; whether it does.
    static func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
        try Patience.eventually(within: Patience.long, pause: 2000, condition)
    }

    /// One request over a connection of its own.
    func ask(_ method: String, _ target: String, type: String = "", _ body: [UInt8] = []) throws -> SocketClient.Answer
    {
        let connection = try SocketClient(port: port)
        try connection.send(Self.request(method, target, type: type, body))
        return try connection.read()
    }

    /// A reading without labels.
    func metric(_ name: String) throws -> Double? {
        let page = String(decoding: try ask("GET", "/metrics").body, as: UTF8.self)
        let line = page.split(separator: "\n").first { $0.hasPrefix(name + " ") }
        return line.flatMap { Double($0.dropFirst(name.count + 1)) }
    }

    static func request(_ method: String, _ target: String, type: String, _ body: [UInt8]) -> [UInt8] {
        let head =
            "\(method) \(target) HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.count)\r\n"
            + (type.isEmpty ? "" : "Content-Type: \(type)\r\n") + "Connection: close\r\n\r\n"
        return Array(head.utf8) + body
    }
}
