import FilePaths
import Glibc
import HTTPServer
import Patience

/// A blocking client that says exactly what it is told; every call gives up after as long as tests wait.
///
/// `@unchecked Sendable`: at most one thread sends and one reads.
package final class SocketClient: @unchecked Sendable {
    package private(set) var descriptor: Int32
    private var unread: [UInt8] = []

    package struct Answer: Sendable {
        package var status = 0
        package var head = ""
        package var body: [UInt8] = []
        package var text: String { String(decoding: body, as: UTF8.self) }
    }

    package enum Failure: Error {
        case cannotConnect(Int32)
        case cannotSend(Int32)
        /// The peer closed or reset, or stayed silent, with this much of an answer received.
        case ended(received: Int, errno: Int32)
    }

    /// A socket that isn't connected yet.
    package init(family: Int32 = AF_INET) {
        descriptor = socket(family, Int32(SOCK_STREAM.rawValue), 0)
        var limit = timeval(tv_sec: Int(Patience.limit.components.seconds), tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    }

    package convenience init(to address: ListenAddress) throws {
        switch address {
        case .unix: self.init(family: AF_UNIX)
        case .tcp(let host, _): self.init(family: host.contains(":") ? AF_INET6 : AF_INET)
        }
        try connect(to: address)
    }

    package convenience init(port: UInt16) throws { try self.init(to: .tcp(host: "127.0.0.1", port: port)) }

    deinit { end() }

    package func connect(to address: ListenAddress) throws {
        let status: Int32
        switch address {
        case .unix(let path):
            var name = sockaddr_un()
            name.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: Path(path).bytes.prefix(107)) }
            status = connect(&name)
        case .tcp(let host, let port) where host.contains(":"):
            var name = sockaddr_in6()
            name.sin6_family = sa_family_t(AF_INET6)
            name.sin6_port = port.bigEndian
            inet_pton(AF_INET6, host, &name.sin6_addr)
            status = connect(&name)
        case .tcp(let host, let port):
            var name = sockaddr_in()
            name.sin_family = sa_family_t(AF_INET)
            name.sin_port = port.bigEndian
            inet_pton(AF_INET, host, &name.sin_addr)
            status = connect(&name)
        }
        guard status == 0 else { throw Failure.cannotConnect(errno) }
    }

    private func connect<Name>(_ name: inout Name) -> Int32 {
        withUnsafePointer(to: &name) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<Name>.size))
            }
        }
    }

    package func send(_ text: String) throws { try send(Array(text.utf8)) }

    package func send(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Failure.cannotSend(errno) }
            rest = rest.dropFirst(count)
        }
    }

    /// Sends until the socket takes no more or `limit` bytes are sent. Returns how many were.
    package func sendWithoutWaiting(atMost limit: Int) -> Int {
        let chunk = [UInt8](repeating: 0x61, count: 64 << 10)
        var sent = 0
        var idleRounds = 0
        while sent < limit, idleRounds < 20 {
            let count = chunk.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
            }
            if count > 0 {
                (sent, idleRounds) = (sent + count, 0)
            } else {
                idleRounds += 1
                usleep(20_000)
            }
        }
        return sent
    }

    package func send(_ method: String, _ target: String, _ fields: [String] = [], _ body: [UInt8] = []) throws {
        let head =
            "\(method) \(target) HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.count)\r\n"
            + fields.map { "\($0)\r\n" }.joined() + "\r\n"
        try send(Array(head.utf8) + body)
    }

    package func get(_ path: String, _ fields: String = "") throws -> Answer {
        try send("GET \(path) HTTP/1.1\r\nHost: a\r\n\(fields)\r\n")
        return try read()
    }

    package func post(_ path: String, _ body: [UInt8], _ fields: String = "") throws -> Answer {
        try send("POST \(path) HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.count)\r\n\(fields)\r\n")
        try send(body)
        return try read()
    }

    /// The next answer, interim ones included.
    package func read() throws -> Answer {
        let end = Array("\r\n\r\n".utf8)
        var searched = 0
        while true {
            if let position = firstIndex(of: end, from: searched) {
                return try readBody(head: String(decoding: unread[..<position], as: UTF8.self), at: position + 4)
            }
            searched = max(0, unread.count - 3)
            try receive()
        }
    }

    private func firstIndex(of pattern: [UInt8], from start: Int) -> Int? {
        guard unread.count >= pattern.count else { return nil }
        return (start...(unread.count - pattern.count)).first { unread[$0..<$0 + pattern.count].elementsEqual(pattern) }
    }

    private func readBody(head: String, at start: Int) throws -> Answer {
        let lines = head.split(separator: "\r\n")
        if lines.contains("Transfer-Encoding: chunked") { return try readChunks(head: head, at: start) }
        let prefix = "Content-Length: "
        let length = lines.first { $0.hasPrefix(prefix) }.flatMap { Int($0.dropFirst(prefix.count)) } ?? 0
        while unread.count < start + length { try receive() }
        let answer = Answer(
            status: Int(head.dropFirst(9).prefix(3)) ?? 0, head: head, body: Array(unread[start..<start + length]))
        unread.removeFirst(start + length)
        return answer
    }

    private func readChunks(head: String, at start: Int) throws -> Answer {
        var body: [UInt8] = []
        var position = start
        while true {
            var end = position
            while !unread[position...].contains(0x0A) { try receive() }
            while unread[end] != 0x0D { end += 1 }
            guard let size = Int(String(decoding: unread[position..<end], as: UTF8.self), radix: 16) else {
                throw Failure.ended(received: unread.count, errno: EPROTO)
            }
            while unread.count < end + 2 + size + 2 { try receive() }
            body += unread[(end + 2)..<(end + 2 + size)]
            position = end + 2 + size + 2
            if size == 0 { break }
        }
        unread.removeFirst(position)
        return Answer(status: Int(head.dropFirst(9).prefix(3)) ?? 0, head: head, body: body)
    }

    /// Everything until the peer's FIN or RST, answers' heads included.
    package func readToEnd() -> [UInt8] {
        while (try? receive()) != nil {}
        defer { unread = [] }
        return unread
    }

    private func receive() throws {
        let capacity = 64 << 10
        let count = try withUnsafeTemporaryAllocation(of: UInt8.self, capacity: capacity) { buffer in
            let count = recv(descriptor, buffer.baseAddress, capacity, 0)
            guard count > 0 else {
                let reason = count == 0 ? 0 : errno
                if reason == EAGAIN { Patience.runOut() }
                throw Failure.ended(received: unread.count, errno: reason)
            }
            unread.append(contentsOf: buffer[..<count])
            return count
        }
        precondition(count > 0)
    }

    /// Whether the peer's FIN is what comes next.
    package func isAtEnd() -> Bool {
        var byte: UInt8 = 0
        return unread.isEmpty && recv(descriptor, &byte, 1, 0) == 0
    }

    package func finishWriting() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Closes with RST in place of FIN.
    package func reset() {
        var option = linger(l_onoff: 1, l_linger: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &option, socklen_t(MemoryLayout<linger>.size))
        end()
    }

    package func end() {
        if descriptor >= 0 { close(descriptor) }
        descriptor = -1
    }
}
