import CLinux
import FilePaths
import Glibc

/// A TCP address without its port.
struct HostAddress: Equatable {
    let family: Int32
    /// `sockaddr_in` or `sockaddr_in6`.
    private let bytes: [UInt8]

    init(family: Int32, bytes: [UInt8]) {
        self.family = family
        self.bytes = bytes
    }

    /// The port has the same place in both structures.
    func withName<R>(port: UInt16, _ body: (UnsafePointer<sockaddr>, socklen_t) -> R) -> R {
        var storage = sockaddr_storage()
        withUnsafeMutableBytes(of: &storage) { space in
            space.copyBytes(from: bytes.prefix(space.count))
            space.storeBytes(of: port.bigEndian, toByteOffset: MemoryLayout<sa_family_t>.size, as: UInt16.self)
        }
        return withUnsafePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(bytes.count)) }
        }
    }

    /// The addresses of a host, each once, in the resolver's order.
    ///
    /// - Throws: `bad_address` with the resolver's reason.
    static func all(of host: String) throws(HTTPServerError) -> [HostAddress] {
        var hints = addrinfo()
        hints.ai_flags = AI_PASSIVE | AI_NUMERICSERV
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let status = getaddrinfo(host, "0", &hints, &list)
        defer { if let list { freeaddrinfo(list) } }
        var addresses: [HostAddress] = []
        var next = list
        while let info = next?.pointee {
            next = info.ai_next
            guard info.ai_family == AF_INET || info.ai_family == AF_INET6, let name = info.ai_addr else { continue }
            let bytes = UnsafeRawBufferPointer(start: name, count: Int(info.ai_addrlen))
            let address = HostAddress(family: info.ai_family, bytes: Array(bytes))
            // A hosts file that names localhost in two lines gives 127.0.0.1 twice.
            if !addresses.contains(address) { addresses.append(address) }
        }
        guard status == 0, !addresses.isEmpty else {
            throw HTTPServerError("bad_address", "host \"\(host)\": \(String(cString: gai_strerror(status)))")
        }
        return addresses
    }
}

/// Why a socket doesn't listen.
private struct ListenFailure: Error {
    let what: String
    /// Of `errno`.
    let number: Int32
    /// Says more than the number does.
    var reason: String?

    /// Whether the machine has no such address, or nothing of its family.
    var isOfAbsentAddress: Bool { [EADDRNOTAVAIL, EAFNOSUPPORT, EPROTONOSUPPORT].contains(number) }

    var error: HTTPServerError {
        reason.map { HTTPServerError("cannot_listen", "\(what): \($0)") } ?? .system(what, number)
    }
}

/// Sockets that listen; non-blocking and close-on-exec. Backlogs are cut to `net.core.somaxconn` by the kernel.
extension Sockets {
    /// Listens at an address, or at each address of a host by name.
    ///
    /// - Throws: `bad_address`, `address_in_use` or `cannot_listen`.
    static func listen(on request: ListenRequest, backlog: Int32) throws(HTTPServerError) -> OwnedSockets {
        switch request.address {
        case .tcp(let host, let port):
            let addresses = try HostAddress.all(of: host)
            // By name, IPv4 has addresses of its own.
            let isIPv6Only = request.isIPv6Only || !host.contains(":")
            do throws(HTTPServerError) {
                return try listen(
                    on: addresses, port: port, isIPv6Only: isIPv6Only, name: request.address, backlog: backlog)
            } catch {
                guard host == "::", !isIPv6Only, error.code == "address_in_use" else { throw error }
                throw HTTPServerError(
                    error.code, error.message + "; it is 0.0.0.0:\(port) as well, unless ,ipv6only stands behind it")
            }
        case .unix(let path):
            var sockets = OwnedSockets()
            sockets.add(try listenUnix(path: path, backlog: backlog))
            return sockets
        }
    }

    /// Listens at each of the addresses that the machine has, at one port. Where the kernel chooses it, it does so for
    /// the first address, and once more where another one's is taken.
    ///
    /// - Parameter name: what they are called, for errors.
    /// - Throws: also where the machine has none of the addresses.
    static func listen(
        on addresses: [HostAddress], port: UInt16, isIPv6Only: Bool, name: ListenAddress, backlog: Int32
    ) throws(HTTPServerError) -> OwnedSockets {
        var attempts = port == 0 && addresses.count > 1 ? 64 : 1
        while true {
            attempts -= 1
            var sockets = OwnedSockets()
            do throws(ListenFailure) {
                try open(&sockets, on: addresses, port: port, isIPv6Only: isIPv6Only, name: name, backlog: backlog)
                return sockets
            } catch {
                guard attempts > 0, error.number == EADDRINUSE else { throw error.error }
            }
        }
    }

    private static func open(
        _ sockets: inout OwnedSockets, on addresses: [HostAddress], port: UInt16, isIPv6Only: Bool, name: ListenAddress,
        backlog: Int32
    ) throws(ListenFailure) {
        var port = port
        var absent: ListenFailure?
        for address in addresses {
            do throws(ListenFailure) {
                let socket = try listen(on: address, port: port, isIPv6Only: isIPv6Only, name: name, backlog: backlog)
                if port == 0, case .tcp(_, let chosen)? = boundAddress(of: socket.descriptor) { port = chosen }
                sockets.add(socket)
            } catch {
                guard error.isOfAbsentAddress else { throw error }
                absent = error
            }
        }
        if sockets.isEmpty, let absent { throw absent }
    }

    private static func listen(
        on address: HostAddress, port: UInt16, isIPv6Only: Bool, name: ListenAddress, backlog: Int32
    ) throws(ListenFailure) -> OwnedSocket {
        let socket = try open(family: address.family, for: "\(name)")
        set(socket.descriptor, SOL_SOCKET, SO_REUSEADDR)
        // Told either way: the default is the machine's (net.ipv6.bindv6only).
        if address.family == AF_INET6 {
            set(socket.descriptor, Int32(IPPROTO_IPV6), IPV6_V6ONLY, to: isIPv6Only ? 1 : 0)
        }
        let isBound = address.withName(port: port) { bind(socket.descriptor, $0, $1) == 0 }
        guard isBound, Glibc.listen(socket.descriptor, backlog) == 0 else {
            throw ListenFailure(what: "can't listen on \(name)", number: errno)
        }
        return socket
    }

    private static func open(family: Int32, for name: String) throws(ListenFailure) -> OwnedSocket {
        let type = SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue
        let descriptor = socket(family, Int32(type), 0)
        guard descriptor >= 0 else { throw ListenFailure(what: "can't open a socket for \(name)", number: errno) }
        return OwnedSocket(descriptor: descriptor)
    }
}

// MARK: - Sockets with a file

extension Sockets {
    /// A socket file on which no process listens any more, left by one that was killed, is replaced.
    private static func listenUnix(path: String, backlog: Int32) throws(HTTPServerError) -> OwnedSocket {
        do throws(ListenFailure) {
            let socket = try open(family: AF_UNIX, for: "unix:\(path)")
            if withUnixAddress(path, { bind(socket.descriptor, $0, $1) }) != 0 {
                var failure = ListenFailure(what: "can't listen on unix:\(path)", number: errno)
                guard failure.number == EADDRINUSE else { throw failure }
                failure.reason = otherFile(at: path)
                guard failure.reason == nil, try isStale(path), Path(path).unlink(),
                    withUnixAddress(path, { bind(socket.descriptor, $0, $1) }) == 0
                else { throw failure }
            }
            guard Glibc.listen(socket.descriptor, backlog) == 0 else {
                throw ListenFailure(what: "can't listen on unix:\(path)", number: errno)
            }
            return socket
        } catch {
            throw error.error
        }
    }

    private static func isStale(_ path: String) throws(ListenFailure) -> Bool {
        let probe = try open(family: AF_UNIX, for: "unix:\(path)")
        return withUnixAddress(path) { connect(probe.descriptor, $0, $1) } != 0 && errno == ECONNREFUSED
    }

    /// What stands at a path where a socket should; `nil`: a socket, or a file that can't be looked at.
    private static func otherFile(at path: String) -> String? {
        guard let status = try? Path(path).status(ofLink: true), status.st_mode & S_IFMT != S_IFSOCK else { return nil }
        let kind =
            switch status.st_mode & S_IFMT {
            case S_IFREG: "a regular file"
            case S_IFDIR: "a folder"
            case S_IFLNK: "a symbolic link"
            default: "a file of another kind"
            }
        return "found \(kind) there, expected none, or the socket of a process that has ended"
    }

    static func withUnixAddress(_ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { space in
            space.copyBytes(from: Path(path).bytes.prefix(space.count - 1))
        }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }
}
