import HTTPWire

/// What is known of a response when it goes out, for metrics and the access log.
struct ResponseRecord: Sendable {
    /// Of a request that reached the engine.
    struct Work: Sendable {
        let model: String
        let images: Int
        let timings: Timings
    }

    let id: String
    /// `nil`: what came was no request.
    let head: HTTPRequestHead?
    let peer: String?
    /// `nil`: no route's.
    var path: RouteTable.Path?
    /// When the request was whole; for one that is responded to by its head, when that was.
    var start = ContinuousClock.now
    var timings = Timings()
    var work: Work?
    /// Of the body.
    var bytesIn = 0
    /// The error that the response tells.
    var refusal: ServiceError?
    /// The code that the log tells.
    var code: String?
    /// Whether the wire refused it, before it was a whole request.
    var isOfWire = false
    /// Whether the client disconnected before: then nothing is sent.
    var isDisconnected = false

    /// The status as it is counted: 499 where the client has disconnected.
    func status(of response: Int) -> Int { isDisconnected ? 499 : response }
}
