/// Every number that bounds a connection. Sizes in bytes.
public struct HTTPLimits: Sendable, Equatable {
    /// Without its CRLF. nginx's `large_client_header_buffers` and Apache's `LimitRequestLine` are 8 KiB too;
    /// RFC 9112 3 asks for at least 8000.
    public var requestLine = 8 << 10
    /// All field lines and the empty one behind them. Node's `--max-http-header-size` is 16 KiB, h11's 20 KiB.
    public var header = 16 << 10
    /// Apache's `LimitRequestFields` is 100.
    public var fields = 100
    /// Bounds what a body of one-byte chunks costs; a body of the largest size needs chunks of 1 KiB at least.
    public var chunks = 65_536
    /// All chunk extensions of a body together. Go's net/http has had a bound of 16 KiB since CVE-2023-39326.
    public var chunkExtensions = 16 << 10
    /// The trailer section, which is read and thrown away; as large as a header.
    public var trailers = 16 << 10
    /// The largest body a handler may accept: 64 pictures of 1 MiB, or three of the largest with base64's third.
    public var body = 64 << 20
    /// Bytes of bodies that are on their way, over all connections: each alone may be within its limit, and thousands
    /// of them more than the memory there is.
    public var uploads = 512 << 20
    /// A refused body up to this size is read to its end, so that the connection can be kept; nginx reads one on
    /// the same grounds. A longer one costs the connection.
    public var refusedBody = 64 << 10

    /// From accept to the first byte. Browsers open spare connections; other clients are not silent that long.
    public var freshSilence: Duration = .seconds(10)
    /// Between requests. Apache keeps a connection 5 s, Go's examples 60; load balancers ask again within 15.
    public var keepAliveIdle: Duration = .seconds(15)
    /// From the request line's first byte to the end of the header. Apache's `mod_reqtimeout` allows 20 s.
    public var headerTime: Duration = .seconds(10)
    /// The span over which a body's rate is measured.
    public var bodyWindow: Duration = .seconds(10)
    /// Bytes per second, measured over each window; Apache's `mod_reqtimeout` asks 500, IIS 240.
    public var bodyRate = 1 << 10
    /// From the end of the header to the end of the body: even a lively upload ends.
    public var bodyTime: Duration = .seconds(60)
    /// The span in which a client must take `bodyRate` bytes per second of a response, or all of it: one that takes
    /// a byte now and then would hold its response in memory for hours.
    public var responseUnread: Duration = .seconds(30)
    /// After the last response, what still arrives is read and thrown away: closing with unread bytes makes the
    /// kernel send RST, and RST takes the response from the client before it is read (RFC 9112 9.6). nginx's
    /// `lingering_timeout` is 5 s, Apache's 2 s.
    public var lingerTime: Duration = .seconds(2)
    /// As long as the longest body: a client that sends one blindly still reads its 413.
    public var lingerBytes = 64 << 20
    /// How long after a client's FIN a waiting request's connection is probed; see `ConnectionState`.
    public var halfClosedProbe: Duration = .milliseconds(500)
    /// How long an idle connection is kept once the server drains: under load its next request is on the way.
    public var drainIdle: Duration = .milliseconds(500)
    /// From the moment the server drains to the end of a request that has begun to arrive; then it is refused with 503.
    /// A slow upload, which may take `bodyTime`, would otherwise take all of the time there is for a stop.
    public var drainRequest: Duration = .seconds(2)

    public init() {}
}
