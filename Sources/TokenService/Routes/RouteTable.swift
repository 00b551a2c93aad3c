import HTTPWire
import TokenFormats

/// One row of the table: what responds to a method at a path.
final class Route: Sendable {
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
    /// As it is written in the table; a segment `{name}` stands for any one, the parameter of that name.
    let path: String
    let needs: Needs
    let access: Access
    let action: Action

    init(
        _ method: String, _ path: String, needs: Needs = .nothing, access: Access = .keyHolders, _ action: Action
    ) {
        self.method = method
        self.path = path
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
    /// What it can respond with, its default first.
    let outputs: [String]
}

/// Routes by path. 404, 405, HEAD and OPTIONS follow from the rows.
struct RouteTable: Sendable {
    /// All rows of one path.
    final class Path: Sendable {
        /// As it is written in the table.
        let name: String
        /// Where it is in the table: paths are counted from 0.
        let index: Int
        let access: Route.Access
        let routes: [Route]
        /// The methods there are.
        let allow: String
        let segments: [Substring]

        init(_ name: String, index: Int, _ routes: [Route]) {
            self.name = name
            self.index = index
            self.routes = routes
            access = routes.first?.access ?? .keyHolders
            let methods = routes.flatMap { $0.method == "GET" ? ["GET", "HEAD"] : [$0.method] }
            allow = (methods + ["OPTIONS"]).joined(separator: ", ")
            segments = name.split(separator: "/", omittingEmptySubsequences: false)
        }

        /// Whether the same path is meant by one string alone.
        var isLiteral: Bool { !segments.contains { $0.hasPrefix("{") } }

        func route(_ method: String) -> Route? {
            routes.first { $0.method == method || (method == "HEAD" && $0.method == "GET") }
        }

        /// - Returns: `nil` where `segments` are another path's.
        func parameters(in segments: [Substring]) -> [String: String]? {
            guard segments.count == self.segments.count else { return nil }
            var parameters: [String: String] = [:]
            for (segment, expected) in zip(segments, self.segments) {
                if expected.hasPrefix("{"), !segment.isEmpty {
                    parameters[String(expected.dropFirst().dropLast())] = String(segment)
                } else if segment != expected {
                    return nil
                }
            }
            return parameters
        }
    }

    enum Match: Sendable {
        case route(Route)
        /// OPTIONS at a path that exists, or at `*`.
        case options(allow: String)
        /// 404, or 405 with the methods there are.
        case refusal(ServiceError)
    }

    /// What the table has for a request.
    struct Lookup: Sendable {
        let match: Match
        /// `nil`: the table has no such path.
        var path: Path?
        /// By name.
        var parameters: [String: String] = [:]

        /// Who may ask for the path, whether it exists or not.
        var access: Route.Access { path?.access ?? .keyHolders }
    }

    private var literal: [String: Path] = [:]
    private var patterns: [Path] = []

    init(routes: [Route]) {
        var names: [String] = []
        for route in routes where !names.contains(route.path) { names.append(route.path) }
        for (index, name) in names.enumerated() {
            let path = Path(name, index: index, routes.filter { $0.path == name })
            if path.isLiteral { literal[name] = path } else { patterns.append(path) }
        }
    }

    func lookUp(_ head: HTTPRequestHead) -> Lookup {
        if let path = literal[head.path] { return lookUp(head, at: path) }
        if head.path == "*" { return Lookup(match: .options(allow: "GET, HEAD, POST, OPTIONS")) }
        let segments = head.path.split(separator: "/", omittingEmptySubsequences: false)
        for path in patterns {
            guard let parameters = path.parameters(in: segments) else { continue }
            var lookup = lookUp(head, at: path)
            lookup.parameters = parameters
            return lookup
        }
        return Lookup(match: .refusal(ServiceError(404, "not_found", "there is no route '\(shortened(head.path))'")))
    }

    private func lookUp(_ head: HTTPRequestHead, at path: Path) -> Lookup {
        if let route = path.route(head.method) { return Lookup(match: .route(route), path: path) }
        if head.method == "OPTIONS" { return Lookup(match: .options(allow: path.allow), path: path) }
        let found = "'\(shortened(head.path))' has no \(shortened(head.method))"
        let error = ServiceError(
            405, "method_not_allowed", "\(found); allowed: \(path.allow)", allow: path.allow)
        return Lookup(match: .refusal(error), path: path)
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
