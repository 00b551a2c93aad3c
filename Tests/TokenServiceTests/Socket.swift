import Foundation
import Glibc
import Testing

/// A blocking socket on 127.0.0.1; reads give up after a minute.
struct Socket: ~Copyable {
    let descriptor: Int32

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
                send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            try #require(count > 0)
            sent += count
        }
    }

    func write(_ method: String, _ target: String, _ fields: [String], _ body: [UInt8]) throws {
        let head =
            "\(method) \(target) HTTP/1.1\r\nHost: x\r\nContent-Length: \(body.count)\r\n"
            + fields.map { "\($0)\r\n" }.joined() + "\r\n"
        try write(Array(head.utf8) + body)
    }

    /// One answer: its head as text, and its body.
    func read() throws -> (head: String, body: [UInt8]) {
        var bytes: [UInt8] = []
        while true {
            if let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) {
                let head = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
                let field = head.split(separator: "\r\n").first { $0.hasPrefix("Content-Length: ") }
                let length = field.flatMap { Int($0.dropFirst(16)) } ?? 0
                if bytes.count >= end.upperBound + length {
                    return (head, Array(bytes[end.upperBound..<(end.upperBound + length)]))
                }
            }
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = recv(descriptor, &buffer, buffer.count, 0)
            try #require(count > 0, "the connection ended or stalled")
            bytes += buffer[..<count]
        }
    }
}
