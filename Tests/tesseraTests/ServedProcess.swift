import Foundation
import Glibc
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

    init(_ arguments: [String]) throws {
        process = try TesseraProcess.start(["serve", "--listen", "127.0.0.1:0"] + arguments, errors: errors)
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

    /// Waits until `condition` holds, a minute at most; whether it does.
    static func eventually(_ condition: () throws -> Bool) rethrows -> Bool {
        let end = ContinuousClock.now + .seconds(60)
        while try !condition() {
            guard .now < end else { return false }
            usleep(2000)
        }
        return true
    }

    /// One request over a connection of its own.
    func ask(_ method: String, _ target: String, type: String = "", _ body: [UInt8] = []) throws -> Answer {
        let connection = try Connection(port: port)
        try connection.write(Self.request(method, target, type: type, body))
        return try #require(connection.read(), "the connection ended without an answer")
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

    struct Answer: Sendable {
        let status: Int
        let head: String
        let body: [UInt8]
    }

    /// A blocking connection; what takes longer than a minute fails.
    final class Connection: Sendable {
        private let descriptor: Int32

        init(port: UInt16) throws {
            descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var limit = timeval(tv_sec: 60, tv_usec: 0)
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            let descriptor = descriptor
            let status = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            try #require(status == 0)
        }

        deinit { close(descriptor) }

        func write(_ bytes: [UInt8]) throws {
            var sent = 0
            while sent < bytes.count {
                let count = bytes[sent...].withUnsafeBytes {
                    Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                try #require(count > 0)
                sent += count
            }
        }

        /// Everything until the other side closes; `nil` where that is no whole answer.
        func read() -> Answer? {
            var bytes: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while true {
                let count = recv(descriptor, &buffer, buffer.count, 0)
                guard count > 0 else { break }
                bytes += buffer[..<count]
            }
            guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
            let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
            let lines = head.split(separator: "\r\n")
            let field = lines.first { $0.lowercased().hasPrefix("content-length: ") }
            let fields = lines.first?.split(separator: " ") ?? []
            guard fields.count > 1, let status = Int(fields[1]), let length = field.flatMap({ Int($0.dropFirst(16)) })
            else { return nil }
            let body = Array(bytes[end.upperBound...])
            return body.count == length ? Answer(status: status, head: head, body: body) : nil
        }
    }
}
