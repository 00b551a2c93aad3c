import Checkpoint
import HTTPWire

/// The contract of this interface: the repository's openapi.yaml, which the build puts into the executable.
enum OpenAPIRoute {
    static let routes: [Route] = [
        Route("GET", "/openapi.yaml", .immediate { _, _, _ in Responses.resource("application/yaml", yaml) }),
        Route("GET", "/openapi.json", .immediate { _, _, _ in Responses.resource(MediaType.json, json) }),
    ]

    private static let yaml = PackageResources.openapi_yaml
    /// Made when first asked for.
    private static let json: [UInt8] = {
        do {
            return try ConfigNode.yaml(String(decoding: yaml, as: UTF8.self)).value.write()
        } catch {
            preconditionFailure("openapi.yaml: \(error)")
        }
    }()
}
