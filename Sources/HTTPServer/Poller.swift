import CLinux
import Glibc

/// What a descriptor is ready for, as epoll names it (epoll_ctl(2)).
struct Readiness: OptionSet {
    let rawValue: UInt32

    static let readable = Readiness(rawValue: EPOLLIN.rawValue)
    static let writable = Readiness(rawValue: EPOLLOUT.rawValue)
    /// Reset, or shut in both directions; told whether asked for or not.
    static let gone = Readiness(rawValue: EPOLLERR.rawValue | EPOLLHUP.rawValue)
}

/// The readiness of a worker's connections behind one epoll descriptor, the only one of them that Dispatch watches.
///
/// Not a dispatch source for each connection: on Linux concurrent making and cancelling of sources can corrupt
/// libdispatch's tables (swift-corelibs-libdispatch issue 949, open), and each event of a source costs a system call to
/// rearm it and a change of threads.
struct Poller: ~Copyable {
    let descriptor: Int32
    private var events = [epoll_event](repeating: epoll_event(), count: 128)

    init() throws(HTTPServerError) {
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard descriptor >= 0 else { throw .system("can't watch connections", errno) }
    }

    deinit { _ = close(descriptor) }

    /// - Returns: whether it is watched now; the kernel bounds their number and memory.
    func add(_ descriptor: Int32, for readiness: Readiness) -> Bool { control(EPOLL_CTL_ADD, descriptor, readiness) }

    /// Level-triggered. Closing a descriptor removes it.
    func change(_ descriptor: Int32, to readiness: Readiness) { _ = control(EPOLL_CTL_MOD, descriptor, readiness) }

    private func control(_ operation: Int32, _ descriptor: Int32, _ readiness: Readiness) -> Bool {
        var event = epoll_event()
        event.events = readiness.rawValue
        event.data.fd = descriptor
        return epoll_ctl(self.descriptor, operation, descriptor, &event) == 0
    }

    /// What is ready now, without waiting; some of it where it is much.
    mutating func ready() -> [(descriptor: Int32, readiness: Readiness)] {
        let count = epoll_wait(descriptor, &events, Int32(events.count), 0)
        return events.prefix(max(0, Int(count))).map { ($0.data.fd, Readiness(rawValue: $0.events)) }
    }
}
