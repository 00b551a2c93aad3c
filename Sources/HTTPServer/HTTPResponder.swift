import HTTPWire
import Synchronization

/// Takes a request's one response, from any thread. Released without one, it sends a 500.
public final class HTTPResponder: Sendable {
    package enum Delivery: Sendable {
        case response(HTTPResponse)
        case stream(HTTPResponse, HTTPBodyStream)
        /// The responder was released without a response.
        case nothing
    }

    private let isUsed = Atomic<Bool>(false)
    private let connection: any StreamConnection
    private let deliver: @Sendable (Delivery) -> Void

    /// - Parameter deliver: called exactly once.
    package init(connection: any StreamConnection, deliver: @escaping @Sendable (Delivery) -> Void) {
        self.connection = connection
        self.deliver = deliver
    }

    deinit {
        if claim() { deliver(.nothing) }
    }

    /// Responds. Only the first response counts.
    public func send(_ response: HTTPResponse) {
        if claim() { deliver(.response(response)) }
    }

    /// Responds with a body that follows in pieces: in chunks for HTTP/1.1, delimited by closing for HTTP/1.0.
    ///
    /// - Parameter response: its own body is the first piece.
    /// - Returns: `nil` where there has been a response.
    public func stream(_ response: HTTPResponse) -> HTTPBodyStream? {
        guard claim() else { return nil }
        let stream = HTTPBodyStream(connection: connection)
        deliver(.stream(response, stream))
        return stream
    }

    private func claim() -> Bool { !isUsed.exchange(true, ordering: .acquiringAndReleasing) }
}

/// The body of a response, written in pieces. Released before `finish`, it breaks the connection, so that the client
/// doesn't take what it has for the whole.
public final class HTTPBodyStream: Sendable {
    private let isOver = Atomic<Bool>(false)
    private let connection: any StreamConnection

    init(connection: any StreamConnection) {
        self.connection = connection
    }

    deinit {
        if !isOver.load(ordering: .acquiring) { connection.abort(ObjectIdentifier(self)) }
    }

    /// Writes a piece and waits until the socket has taken it, which bounds what waits in memory. One call at a time.
    ///
    /// - Returns: whether it was taken; false once the client has disconnected or read too slowly.
    public func write(_ piece: [UInt8]) async -> Bool {
        guard !isOver.load(ordering: .acquiring) else { return false }
        return await withCheckedContinuation { continuation in
            connection.write(piece, to: ObjectIdentifier(self)) { continuation.resume(returning: $0) }
        }
    }

    /// The body is whole. Without effect after the first time.
    public func finish() {
        guard !isOver.exchange(true, ordering: .acquiringAndReleasing) else { return }
        connection.finish(ObjectIdentifier(self))
    }
}

/// The connection that a stream's pieces go to; any thread may call.
package protocol StreamConnection: AnyObject, Sendable {
    /// - Parameter taken: called once, whether the socket has taken all of `piece`.
    func write(_ piece: [UInt8], to stream: ObjectIdentifier, taken: @escaping @Sendable (Bool) -> Void)
    func finish(_ stream: ObjectIdentifier)
    func abort(_ stream: ObjectIdentifier)
}
