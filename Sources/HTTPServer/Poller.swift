import CLinux
import Glibc

/// What a descriptor is ready for, as epoll names it (epoll_ctl(2)).
struct Readiness: OptionSet {
    let rawValue: UInt32

    static let readable = Readiness(rawValue: EPOLLIN.rawValue)
    static let writable = Readiness(rawValue: EPOLLOUT.rawValue)
    /// Reset, or shut in both directions; told whether asked for or not.
    static let closed = Readiness(rawValue: EPOLLERR.rawValue | EPOLLHUP.rawValue)
}

/// Ends a `Poller`'s wait, from any thread: eventfd(2).
final class Waker: Sendable {
    fileprivate let descriptor: Int32

    init() throws(HTTPServerError) {
        descriptor = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
        guard descriptor >= 0 else { throw .system("can't watch connections", errno) }
    }

    deinit { _ = close(descriptor) }

    func wake() {
        var one: UInt64 = 1
        _ = write(descriptor, &one, MemoryLayout<UInt64>.size)
    }

    fileprivate func acknowledge() {
        var count: UInt64 = 0
        _ = read(descriptor, &count, MemoryLayout<UInt64>.size)
    }
}

/// The readiness of a worker's connections behind one epoll descriptor.
///
/// Not a dispatch source for each connection: on Linux concurrent making and cancelling of sources can corrupt
/// libdispatch's tables (swift-corelibs-libdispatch issue 949, open), and each event of a source costs a system call to
/// rearm it and two changes of threads.
struct Poller: ~Copyable {
    private let descriptor: Int32
    private let waker: Waker
    private var events = [epoll_event](repeating: epoll_event(), count: 128)

    init(_ waker: Waker) throws(HTTPServerError) {
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        self.waker = waker
        guard descriptor >= 0, add(waker.descriptor, for: .readable) else {
            throw .system("can't watch connections", errno)
        }
    }

    deinit { if descriptor >= 0 { _ = close(descriptor) } }

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

    /// Waits until something is ready, the waker was called or the time is over; -1 milliseconds: for as long as it
    /// takes.
    ///
    /// - Returns: how many events there are for `event`; where many are ready, some of them.
    mutating func wait(milliseconds: Int32) -> Int {
        max(0, Int(epoll_wait(descriptor, &events, Int32(events.count), milliseconds)))
    }

    /// - Returns: `nil` where it was the waker.
    func event(_ index: Int) -> (descriptor: Int32, readiness: Readiness)? {
        let event = events[index]
        guard event.data.fd == waker.descriptor else { return (event.data.fd, Readiness(rawValue: event.events)) }
        waker.acknowledge()
        return nil
    }
}
