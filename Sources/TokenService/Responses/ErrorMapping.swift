import Batching
import HTTPWire
import ImageInput
import JSON
import TokenFormats
import TokenizerCore

// The one place where errors from below become status and code.

extension ServiceError {
    init(_ error: FormatError) {
        let status =
            switch error.kind {
            case .invalid: 400
            case .conflict: 409
            case .tooLarge: 413
            case .unsupported: 415
            case .unprocessable: 422
            case .internal: 500
            case .unavailable: 503
            }
        self.init(
            status, error.code, error.message, param: error.param, retryAfter: error.kind == .unavailable ? 1 : nil)
    }

    init(_ error: TokenizerError) { self.init(FormatError(error)) }

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
        case .cancelled: self.init(499, "client_gone", "the client disconnected")
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

/// What reading a body refuses, with its status.
func translated<R>(_ value: @autoclosure () throws(FormatError) -> R) throws(ServiceError) -> R {
    do throws(FormatError) {
        return try value()
    } catch {
        throw ServiceError(error)
    }
}
