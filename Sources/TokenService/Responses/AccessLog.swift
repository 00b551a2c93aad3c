import HTTPWire
import Logging
import TokenFormats

/// One line for each response, in bytes and milliseconds. A query is never in it.
public struct AccessLog: Sendable {
    let logger: Logger
    /// Whether probes of health have lines too.
    let includesProbes: Bool

    public init(_ logger: Logger, includesProbes: Bool = false) {
        self.logger = logger
        self.includesProbes = includesProbes
    }

    func write(_ record: ResponseRecord, _ response: HTTPResponse) {
        let status = record.status(of: response.status)
        logger.log(
            level: status == 500 ? .error : .info, "request", metadata: Self.metadata(record, response, status))
    }

    private static func metadata(
        _ record: ResponseRecord, _ response: HTTPResponse, _ status: Int
    ) -> Logger.Metadata {
        let hasNoBody = record.head?.method == "HEAD" || response.status == 204 || response.status == 304
        let bytesOut = hasNoBody || record.isDisconnected ? 0 : response.body.count
        var metadata = Logger.Metadata(minimumCapacity: 16)
        metadata["request_id"] = .string(record.id)
        metadata["status"] = .stringConvertible(status)
        metadata["bytes_in"] = .stringConvertible(record.bytesIn)
        metadata["bytes_out"] = .stringConvertible(bytesOut)
        metadata["duration_ms"] = .stringConvertible(Timings.milliseconds(.now - record.start))
        if let peer = record.peer { metadata["peer"] = .string(peer) }
        if let code = record.code { metadata["code"] = .string(code) }
        if let head = record.head {
            metadata["method"] = .string(shortened(head.method, to: 32))
            metadata["path"] = .string(shortened(head.path, to: 256))
            if let agent = head.headers.first("User-Agent") {
                metadata["user_agent"] = .string(shortened(agent, to: 128))
            }
        }
        if let work = record.work {
            metadata["model"] = .string(work.model)
            metadata["images"] = .stringConvertible(work.images)
            metadata["queue_ms"] = .stringConvertible(Timings.milliseconds(work.timings.queue))
            metadata["inference_ms"] = .stringConvertible(Timings.milliseconds(work.timings.inference))
        }
        return metadata
    }
}
