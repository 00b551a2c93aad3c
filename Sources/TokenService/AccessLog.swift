import HTTPWire
import Logging

/// One line for each answer, in bytes and milliseconds. A query is never in it.
public struct AccessLog: Sendable {
    let logger: Logger
    /// Whether probes of health have lines too.
    let includesProbes: Bool

    public init(_ logger: Logger, includesProbes: Bool = false) {
        self.logger = logger
        self.includesProbes = includesProbes
    }

    /// What is known of an answer when it goes out.
    struct Line {
        /// Of a request that reached the engine.
        struct Work {
            let model: String
            let images: Int
            let timings: Timings
        }

        let id: String
        let peer: String?
        /// `nil`: what came was no request.
        let head: HTTPRequestHead?
        /// 499: the client had gone.
        var status: Int
        /// The error's.
        var code: String?
        /// Of bodies; heads aren't counted.
        var bytesIn = 0
        var bytesOut: Int
        /// From the whole request to its answer.
        let duration: Duration
        var work: Work?

        init(
            id: String, peer: String?, head: HTTPRequestHead?, _ response: HTTPResponse,
            since start: ContinuousClock.Instant
        ) {
            self.id = id
            self.peer = peer
            self.head = head
            status = response.status
            let isBare = head?.method == "HEAD" || response.status == 204 || response.status == 304
            bytesOut = isBare ? 0 : response.body.count
            duration = .now - start
        }
    }

    func write(_ line: Line) {
        logger.log(level: line.status == 500 ? .error : .info, "request", metadata: Self.metadata(line))
    }

    private static func metadata(_ line: Line) -> Logger.Metadata {
        var metadata: Logger.Metadata = [
            "request_id": .string(line.id), "status": .stringConvertible(line.status),
            "bytes_in": .stringConvertible(line.bytesIn), "bytes_out": .stringConvertible(line.bytesOut),
            "duration_ms": .stringConvertible(Timings.milliseconds(line.duration)),
        ]
        if let peer = line.peer { metadata["peer"] = .string(peer) }
        if let code = line.code { metadata["code"] = .string(code) }
        if let head = line.head {
            metadata["method"] = .string(shortened(head.method, to: 32))
            metadata["path"] = .string(shortened(head.path, to: 256))
            if let agent = head.headers.first("User-Agent") {
                metadata["user_agent"] = .string(shortened(agent, to: 128))
            }
        }
        if let work = line.work {
            metadata["model"] = .string(work.model)
            metadata["images"] = .stringConvertible(work.images)
            metadata["queue_ms"] = .stringConvertible(Timings.milliseconds(work.timings.queue))
            metadata["inference_ms"] = .stringConvertible(Timings.milliseconds(work.timings.inference))
        }
        return metadata
    }
}
