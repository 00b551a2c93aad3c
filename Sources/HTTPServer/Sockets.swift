import CLinux
import Glibc

/// A descriptor and who closes it.
struct OwnedSocket: ~Copyable {
    let descriptor: Int32

    consuming func release() -> Int32 {
        let descriptor = descriptor
        discard self
        return descriptor
    }

    deinit { _ = close(descriptor) }
}

/// Descriptors of one request to listen; closed unless they are released.
struct OwnedSockets: ~Copyable {
    private var descriptors: [Int32] = []

    var isEmpty: Bool { descriptors.isEmpty }

    mutating func add(_ socket: consuming OwnedSocket) { descriptors.append(socket.release()) }

    consuming func release() -> [Int32] {
        defer { descriptors = [] }
        return descriptors
    }

    deinit { for descriptor in descriptors { _ = close(descriptor) } }
}

/// What came of one call that moves bytes.
enum SocketResult: Equatable {
    case moved(Int)
    case wouldBlock
    case failed
}

/// The system calls of sockets; EINTR is retried, all sockets are non-blocking and close-on-exec.
enum Sockets {
    static func set(_ descriptor: Int32, _ level: Int32, _ option: Int32, to value: Int32 = 1) {
        var value = value
        _ = setsockopt(descriptor, level, option, &value, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Non-blocking and close-on-exec, as `accept` doesn't make them (Glibc's module leaves `accept4` out).
    static func prepare(_ descriptor: Int32) {
        _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }

    /// Sends what there is at once, but of what a peer doesn't read the kernel takes no more than 64 KiB ahead, instead
    /// of megabytes: a client that asks and asks and reads nothing makes the service do that much work, no more. What
    /// is on its way isn't bounded by it, so a client that reads is not slowed.
    static func prepareTCP(_ descriptor: Int32) {
        set(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY)
        set(descriptor, Int32(IPPROTO_TCP), TCP_NOTSENT_LOWAT, to: 64 << 10)
    }

    /// The host and port a TCP socket is bound to.
    static func boundAddress(of descriptor: Int32) -> ListenAddress? {
        address { getsockname(descriptor, $0, &$1) }
    }

    /// The other end: `ADDRESS:PORT`, `[IPv6]:PORT`, or `unix`; `nil` where it is closed.
    static func peerName(of descriptor: Int32) -> String? {
        var family = sa_family_t(AF_UNSPEC)
        let address = Self.address { name, length in
            let status = getpeername(descriptor, name, &length)
            if status == 0 { family = name.pointee.sa_family }
            return status
        }
        return family == sa_family_t(AF_UNIX) ? "unix" : address?.description
    }

    private static func address(
        _ ask: (UnsafeMutablePointer<sockaddr>, inout socklen_t) -> Int32
    ) -> ListenAddress? {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        var port = [CChar](repeating: 0, count: Int(NI_MAXSERV))
        let isKnown = withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
                ask(name, &length) == 0
                    && getnameinfo(
                        name, length, &host, socklen_t(host.count), &port, socklen_t(port.count),
                        NI_NUMERICHOST | NI_NUMERICSERV) == 0
            }
        }
        guard isKnown, let number = UInt16(text(port)) else { return nil }
        return .tcp(host: unmapped(text(host)), port: number)
    }

    /// An IPv4 address as itself, not as IPv6 writes it where one socket takes both (RFC 4291 2.5.5.2).
    private static func unmapped(_ host: String) -> String {
        let prefix = "::ffff:"
        return host.hasPrefix(prefix) && host.contains(".") ? String(host.dropFirst(prefix.count)) : host
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// - Returns: `.moved(0)` at the peer's FIN.
    static func receive(_ descriptor: Int32, into buffer: inout [UInt8]) -> SocketResult {
        result { buffer.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) } }
    }

    /// SIGPIPE is kept away: a connection that its peer has closed is an ordinary failure.
    static func send(_ descriptor: Int32, _ bytes: ArraySlice<UInt8>, isMoreComing: Bool) -> SocketResult {
        let flags = Int32(MSG_NOSIGNAL) | (isMoreComing ? Int32(MSG_MORE) : 0)
        return result { bytes.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, flags) } }
    }

    private static func result(_ call: () -> Int) -> SocketResult {
        while true {
            let count = call()
            if count >= 0 { return .moved(count) }
            let number = errno
            if number == EINTR { continue }
            return number == EAGAIN || number == EWOULDBLOCK ? .wouldBlock : .failed
        }
    }

    /// What the peer has done, without reading.
    static func peerStatus(_ descriptor: Int32) -> (hasClosed: Bool, hasFinished: Bool) {
        let readHangUp: Int16 = 0x2000  // POLLRDHUP, which Glibc's module map leaves out without _GNU_SOURCE
        var entry = pollfd(fd: descriptor, events: readHangUp, revents: 0)
        guard poll(&entry, 1, 0) > 0 else { return (false, false) }
        return (
            entry.revents & Int16(POLLERR | POLLHUP | POLLNVAL) != 0, entry.revents & readHangUp != 0
        )
    }
}
