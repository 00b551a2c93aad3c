import HTTPWire

/// One row of the table: what answers a method at a path.
struct Route: Sendable {
    typealias Immediate = @Sendable (Exchange) throws(ServiceError) -> HTTPResponse
    typealias Work = @Sendable (Exchange, WorkRequest) async throws(ServiceError) -> HTTPResponse

    enum Needs: Sendable {
        case nothing
        /// The models are loaded.
        case models
    }

    /// Who may ask where the service has API keys.
    enum Access: Sendable {
        case anyone
        /// Anyone, unless the operator wants keys for metrics too.
        case scrapers
        case keyHolders
    }

    enum Action: Sendable {
        /// Responds from what is known, without a body, on the connection's queue.
        case immediate(Immediate)
        /// Takes a body of one of the rule's inputs and a place in the queue; runs on the preprocessing threads.
        case work(BodyRule, Work)
    }

    let method: String
    /// As it is written in the table.
    let path: String
    /// Segments; `{name}` stands for any one, the parameter of that name.
    let pattern: [Substring]
    let needs: Needs
    let access: Access
    let action: Action

    init(
        _ method: String, _ path: String, needs: Needs = .nothing, access: Access = .keyHolders, _ action: Action
    ) {
        self.method = method
        self.path = path
        pattern = path.split(separator: "/", omittingEmptySubsequences: false)
        self.needs = needs
        self.access = access
        self.action = action
    }
}

/// What a route reads and writes.
struct BodyRule: Sendable {
    /// Content types and the longest body of each.
    let inputs: [(type: String, limit: Int)]
    /// The content type where the request names none.
    var assumed: String?
    /// What it can answer with, its default first.
    let outputs: [String]
}

/// Routes by path. 404, 405, 406, 415, HEAD and OPTIONS follow from the rows.
struct RouteTable: Sendable {
    let routes: [Route]

    enum Match: Sendable {
        case route(Route)
        /// OPTIONS at a path that exists.
        case options(allow: String)
    }

    /// What the table has for a request.
    struct Lookup: Sendable {
        /// A failure is 404, or 405 with the methods there are.
        var match: Result<Match, ServiceError>
        /// The path as the table has it; `nil`: none has this one.
        var path: String?
        /// Who may ask for the path, whether it exists or not.
        var access = Route.Access.keyHolders
        /// By name.
        var parameters: [String: String] = [:]
    }

    func lookUp(_ head: HTTPRequestHead) -> Lookup {
        if head.path == "*" { return Lookup(match: .success(.options(allow: "GET, HEAD, POST, OPTIONS"))) }
        let segments = head.path.split(separator: "/", omittingEmptySubsequences: false)
        var lookup: Lookup?
        var methods: [String] = []
        for route in routes {
            guard let parameters = Self.parameters(of: segments, in: route.pattern) else { continue }
            var found = lookup ?? Lookup(match: .success(.route(route)), path: route.path, access: route.access)
            found.parameters = parameters
            if route.method == head.method || (head.method == "HEAD" && route.method == "GET") {
                found.match = .success(.route(route))
                return found
            }
            lookup = found
            methods += route.method == "GET" ? ["GET", "HEAD"] : [route.method]
        }
        guard var lookup else {
            return Lookup(
                match: .failure(
                    ServiceError(404, "not_found", "there is no route '\(shortened(head.path))'")))
        }
        let allow = (methods + ["OPTIONS"]).joined(separator: ", ")
        if head.method == "OPTIONS" {
            lookup.match = .success(.options(allow: allow))
        } else {
            let found = "'\(shortened(head.path))' has no \(shortened(head.method))"
            lookup.match = .failure(
                ServiceError(405, "method_not_allowed", "\(found); allowed: \(allow)", allow: allow))
        }
        return lookup
    }

    /// - Returns: `nil` where the path is another.
    private static func parameters(of segments: [Substring], in pattern: [Substring]) -> [String: String]? {
        guard segments.count == pattern.count else { return nil }
        var parameters: [String: String] = [:]
        for (segment, expected) in zip(segments, pattern) {
            if expected.hasPrefix("{"), !segment.isEmpty {
                parameters[String(expected.dropFirst().dropLast())] = String(segment)
            } else if segment != expected {
                return nil
            }
        }
        return parameters
    }
}

extension BodyRule {
    /// The limit of the body that the head announces.
    ///
    /// - Throws: 415 for a type or a coding that isn't read, 406 where nothing that is offered is acceptable.
    func check(_ head: HTTPRequestHead) throws(ServiceError) -> Int {
        guard MediaType.choose(outputs, for: head.headers) != nil else { throw notAcceptable(outputs, head.headers) }
        let codings = head.headers.list("Content-Encoding").filter { $0 != "identity" }
        if let coding = codings.first {
            throw ServiceError(
                415, "unsupported_encoding",
                "Content-Encoding '\(shortened(coding))' is not read; send the body as it is", param: "Content-Encoding"
            )
        }
        guard !inputs.isEmpty else { return 0 }
        let type = contentType(of: head)
        if let input = inputs.first(where: { $0.type == type }) { return input.limit }
        let known = inputs.map(\.type).joined(separator: ", ")
        throw ServiceError(
            415, "unsupported_content_type",
            type.map { "Content-Type '\(shortened($0))' is not read here; expected one of \(known)" }
                ?? "there is no Content-Type; expected one of \(known)", param: "Content-Type")
    }

    func contentType(of head: HTTPRequestHead) -> String? {
        head.headers.first("Content-Type").map(MediaType.essence) ?? assumed
    }
}

func notAcceptable(_ offers: [String], _ headers: HTTPHeaders) -> ServiceError {
    let accept = headers.all("Accept").joined(separator: ", ")
    return ServiceError(
        406, "not_acceptable",
        "Accept '\(shortened(accept))' has nothing that can be made of this; offered: "
            + offers.joined(separator: ", "), param: "Accept")
}
