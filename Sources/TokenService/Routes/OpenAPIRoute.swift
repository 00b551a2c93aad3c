import Checkpoint
import HTTPWire

/// The contract of this interface: the repository's openapi.yaml, which the build puts into the executable.
enum OpenAPIRoute {
    static let routes: [Route] = [
        Route("GET", "/openapi.yaml", .immediate { _ in yaml }),
        Route("GET", "/openapi.json", .immediate { _ in json }),
    ]

    // Each made when first asked for, its entity tag included.
    private static let yaml = Responses.resource("application/yaml", PackageResources.openapi_yaml)
    private static let json: HTTPResponse = {
        do {
            let text = String(decoding: PackageResources.openapi_yaml, as: UTF8.self)
            return Responses.resource(MediaType.json, try ConfigNode.yaml(text).value.write())
        } catch {
            preconditionFailure("openapi.yaml: \(error)")
        }
    }()
}
