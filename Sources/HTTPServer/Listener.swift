import Dispatch
import FilePaths
import Glibc

/// One listening socket. When descriptors or places run out, accepting pauses: the kernel's backlog holds
/// further connections, which can be served a moment later. What is open is served on, and accepting resumes by itself.
///
/// `@unchecked Sendable`: touched on `queue` only.
final class Listener: @unchecked Sendable {
    let address: ListenAddress
    private let descriptor: Int32
    private let queue: DispatchQueue
    private let occupancy: Occupancy
    private let workers: [Worker]
    private var turn = 0
    private var source: (any DispatchSourceRead)?
    private var isPaused = false
    /// Nothing comes any more but what the kernel has completed.
    private var hasAllArrived = false
    private var onClosed: (@Sendable () -> Void)?
    /// Of the socket's file, so that only our own is removed at the end.
    private let inode: ino_t?

    /// - Parameter workers: take over new sockets and the places they hold, in turn.
    init(
        _ socket: consuming OwnedSocket, address: ListenAddress, queue: DispatchQueue, occupancy: Occupancy,
        workers: [Worker]
    ) {
        self.queue = queue
        self.occupancy = occupancy
        self.workers = workers
        descriptor = socket.release()
        if case .unix(let path) = address {
            self.address = address
            inode = Self.inode(of: path)
        } else {
            self.address = Sockets.boundAddress(of: descriptor) ?? address
            inode = nil
        }
    }

    func start() {
        queue.async {
            let source = DispatchSource.makeReadSource(fileDescriptor: self.descriptor, queue: self.queue)
            source.setEventHandler { self.acceptSome(atMost: 64) }
            source.activate()
            self.source = source
        }
    }

    /// Ends arrivals, takes every connection that the kernel has completed, so that no client sees a reset, then
    /// closes. Where there is no room for them it waits until there is. On `queue`.
    ///
    /// - Parameter handshakes: how long handshakes that are under way have to end; none are on a Unix socket.
    func stop(handshakes: Duration, _ closed: @escaping @Sendable () -> Void) {
        if case .unix(let path) = address, let inode, inode == Self.inode(of: path) { Path(path).unlink() }
        guard source != nil else {
            _ = Glibc.close(descriptor)
            return closed()
        }
        onClosed = closed
        guard case .tcp = address else {
            Sockets.refuseConnections(of: descriptor)
            return endArrivals()
        }
        Sockets.dropConnectionRequests(of: descriptor)
        queue.asyncAfter(deadline: .now() + handshakes / .seconds(1)) { self.endArrivals() }
    }

    private func endArrivals() {
        hasAllArrived = true
        closeOnceEmpty()
    }

    private func closeOnceEmpty() {
        if acceptSome(atMost: .max) { close() }
    }

    /// Closes, though connections may wait; at the end of a stop's grace. On `queue`.
    func close() {
        guard let source else { return }
        let (descriptor, closed) = (descriptor, onClosed)
        source.setCancelHandler {
            _ = Glibc.close(descriptor)
            closed?()
        }
        source.cancel()
        if isPaused { source.resume() }
        (self.source, onClosed) = (nil, nil)
    }

    /// - Returns: whether none waits any more.
    @discardableResult
    private func acceptSome(atMost count: Int) -> Bool {
        for _ in 0..<count {
            guard source != nil, !isPaused else { return false }
            guard occupancy.reserve(onRoom: { self.queue.async { self.resume() } }) else {
                pause()
                return false
            }
            let descriptor = accept(self.descriptor, nil, nil)
            let number = errno
            if descriptor >= 0 {
                Sockets.prepare(descriptor)
                if case .tcp = address { Sockets.prepareTCP(descriptor) }
                turn = (turn + 1) % workers.count
                workers[turn].add(descriptor)
                continue
            }
            occupancy.release()
            switch number {
            case EAGAIN: return true
            case EINTR, ECONNABORTED, EPROTO, EPERM: continue
            default:
                // EMFILE, ENFILE, ENOBUFS, ENOMEM: the backlog stays readable, so waiting for an event would spin.
                pause()
                queue.asyncAfter(deadline: .now() + 0.1) { self.resume() }
                return false
            }
        }
        return false
    }

    private func pause() {
        guard let source, !isPaused else { return }
        isPaused = true
        source.suspend()
    }

    private func resume() {
        guard let source, isPaused else { return }
        isPaused = false
        source.resume()
        if hasAllArrived { closeOnceEmpty() }
    }

    private static func inode(of path: String) -> ino_t? {
        (try? Path(path).status(ofLink: true))?.st_ino
    }
}
