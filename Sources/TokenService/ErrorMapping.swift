import Batching
import HTTPWire
import ImageInput
import JSON
import TokenizerCore

// The one place where errors from below become status and code.

extension ServiceError {
    init(_ error: ImageError) {
        let (status, code) =
            switch error {
            case .unsupported: (415, "unsupported_image")
            case .fileBytes: (413, "image_too_large")
            case .pixels: (413, "too_many_pixels")
            case .scans: (413, "too_many_scans")
            case .undecodable: (422, "undecodable_image")
            // What a file makes the decoder do is the file's fault.
            case .deadline: (422, "image_too_slow")
            case .memory: (503, "out_of_memory")
            }
        self.init(status, code, error.description, retryAfter: status == 503 ? 1 : nil)
    }

    init(_ error: TokenizerError) {
        switch error {
        case .tokenCount(let found, let expected):
            self.init(422, "token_count", "found \(found) tokens, expected \(expected)", param: "tokens")
        case .tokenRange(let position, let found, let codebookSize):
            self.init(
                422, "token_out_of_range",
                "the token at position \(position) is \(described(found)), expected 0...\(codebookSize - 1)",
                param: "tokens")
        case .option(let name, let reason):
            self = .badOption(name, reason)
        case .imageSize(let found, let expected):
            self.init(500, "internal", "the model was given a picture of \(found), expected \(expected)")
        }
    }

    init(_ error: JSONError) {
        self.init(400, "invalid_json", "the body is not JSON that is read here: \(error)")
    }

    init(_ error: HTTPWireError) {
        let isPassing = [429, 503].contains(error.status)
        self.init(error.status, error.code, error.message, retryAfter: isPassing ? 1 : nil)
    }

    init(_ failure: EngineFailure) {
        switch failure {
        case .loading: self = .loading
        case .failed: self.init(503, "failed", "the models could not be loaded", retryAfter: 30)
        case .draining: self = .draining
        case .unknownModel(let id): self = .unknownModel(id, known: [])
        case .expired: self = .expired
        case .cancelled: self.init(499, "client_gone", "the client went away")
        case .tokenizer(let error): self.init(error)
        }
    }

    static let loading = ServiceError(503, "loading", "the models are being loaded", retryAfter: 2)
    static let draining = ServiceError(503, "draining", "the service is stopping", retryAfter: 1)
    static let expired = ServiceError(504, "deadline_exceeded", "the request's deadline passed before it ran")

    static let codebookBusy = ServiceError(
        429, "codebook_busy", "a codebook is being made for another request; they are made one at a time", retryAfter: 1
    )

    static func queueFull(_ admission: Admission) -> ServiceError {
        let time = admission.longestWait.map { ", and no more than \(Int($0 / .seconds(1))) s of work" } ?? ""
        return ServiceError(
            429, "queue_full",
            "the queue has no room for this request: it takes \(admission.capacity) images\(time)",
            retryAfter: max(1, Int((admission.timeToRoom / .seconds(1)).rounded(.up))))
    }

    static func unknownModel(_ id: String, known: [String]) -> ServiceError {
        let names = known.map { "'\($0)'" }.joined(separator: ", ")
        return ServiceError(
            404, "model_not_found",
            "there is no model '\(shortened(id))'\(known.isEmpty ? "" : "; loaded: \(names)")", param: "model")
    }
}
