import Foundation
import TokenFormats

/// Everything the service can be told.
public struct ServiceConfiguration: Sendable {
    public var limits = ServiceLimits()
    /// Images in a batch at most.
    public var maxBatch = 8
    /// How long the oldest image waits for others to make a batch with.
    public var maxDelay: Duration = .zero
    /// From a request's arrival to the begin of its first image's run. `X-Request-Timeout-Ms` may only shorten it.
    public var requestTimeout: Duration = .seconds(60)
    /// What a request may have to wait for those before it, judged by the latest images' work; a full batch's worth is
    /// let in whatever it takes. `nil`: any time.
    public var longestWait: Duration? = .seconds(8)
    /// Threads that decode and encode images. The default is the machine's processors; the executable sets it from the
    /// processor budget that it runs under.
    public var preprocessingWidth = max(1, ProcessInfo.processInfo.activeProcessorCount)
    /// The engine's silence with work at hand after which the service is no longer ready.
    public var readySilence: Duration = .seconds(30)
    /// The same, after which it is no longer alive.
    public var liveSilence: Duration = .seconds(120)
    /// Clients need one of them; `nil`: none is needed.
    public var keys: APIKeys?
    /// Whether `/metrics` needs a key too.
    public var metricsNeedKey = false
    /// Origins whose pages may read responses, as `CrossOrigin.normalized` has them.
    public var corsOrigins: [String] = []
    /// A line for each response; `nil`: none.
    public var accessLog: AccessLog?

    public init() {}
}
