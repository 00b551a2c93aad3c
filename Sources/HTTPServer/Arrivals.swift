import CLinux
import Glibc

// The end of a listening socket. To close one resets every connection that the kernel has completed and `accept` hasn't
// taken, and between the last `accept` and `close` more may complete. So arrivals end first.
extension Sockets {
    /// Lets no further connection begin, while those that the kernel has completed can be accepted and handshakes under
    /// way go on: a packet that asks for a connection (SYN without ACK) is dropped. Its sender asks again a second
    /// later (RFC 6298 2.1) and is refused when the socket is closed. Accepted sockets inherit the filter, which drops
    /// nothing that belongs to a connection.
    ///
    /// - Returns: whether the kernel has taken the filter.
    @discardableResult
    static func dropConnectionRequests(of descriptor: Int32) -> Bool {
        // Classic BPF (socket(7), SO_ATTACH_FILTER); at offset 13 of the TCP header are its flags (RFC 9293 3.1).
        var program = [
            instruction(BPF_LD | BPF_B | BPF_ABS, 13),
            instruction(BPF_ALU | BPF_AND | BPF_K, 0x12),  // SYN and ACK
            sock_filter(code: UInt16(BPF_JMP | BPF_JEQ | BPF_K), jt: 0, jf: 1, k: 0x02),
            instruction(BPF_RET | BPF_K, 0),
            instruction(BPF_RET | BPF_K, UInt32.max),
        ]
        return program.withUnsafeMutableBufferPointer { instructions in
            var filter = sock_fprog(len: UInt16(instructions.count), filter: instructions.baseAddress)
            let size = socklen_t(MemoryLayout<sock_fprog>.size)
            return setsockopt(descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &filter, size) == 0
        }
    }

    private static func instruction(_ code: Int32, _ value: UInt32) -> sock_filter {
        sock_filter(code: UInt16(code), jt: 0, jf: 0, k: value)
    }

    /// The same for a Unix socket, where `connect` is refused from now on (unix(7) has no handshake).
    static func refuseConnections(of descriptor: Int32) {
        _ = shutdown(descriptor, Int32(SHUT_RD))
    }
}
