import TokenFormats

/// A refusal as a client sees it.
public struct ServiceError: DescribedError, Equatable {
    public var status: Int
    /// A stable name in snake case for programs.
    public var code: String
    /// What was wrong, where, and what was expected.
    public var message: String
    /// The option, member or item at fault.
    public var param: String?
    /// Seconds after which trying again makes sense.
    public var retryAfter: Int?
    /// The methods that a route has, for 405.
    public var allow: String?

    public init(
        _ status: Int, _ code: String, _ message: String, param: String? = nil, retryAfter: Int? = nil,
        allow: String? = nil
    ) {
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.retryAfter = retryAfter
        self.allow = allow
    }

    /// The family of its status.
    public var type: String {
        switch status {
        case 401: "authentication_error"
        case 404: "not_found_error"
        case 429: "rate_limit_error"
        case 500...: "server_error"
        default: "invalid_request_error"
        }
    }

    static func badOption(_ name: String, _ why: String) -> ServiceError {
        ServiceError(400, "invalid_option", "'\(name)': \(why)", param: name)
    }
}
