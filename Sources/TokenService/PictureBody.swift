import Batching
import HTTPWire
import ImageInput
import JSON
import TokenizerCore

/// The pictures of a request: a raw body, or the `input` of a JSON one.
struct PictureBody: Sendable {
    private enum Pictures: Sendable {
        case raw([UInt8])
        case texts([String])
    }

    private var pictures: Pictures

    var count: Int {
        switch pictures {
        case .raw: 1
        case .texts(let texts): texts.count
        }
    }

    static func inputs(_ limits: ServiceLimits) -> [(type: String, limit: Int)] {
        [(MediaType.json, limits.bodyBytes)]
            + [MediaType.png, MediaType.jpeg, MediaType.octets].map { ($0, limits.image.fileBytes) }
    }

    /// The body, and where its options are: in the query of a raw one, in JSON's members.
    static func read(
        _ request: HTTPRequest, _ rule: BodyRule
    ) throws(ServiceError) -> (PictureBody, OptionReader) {
        guard rule.contentType(of: request.head) == MediaType.json else {
            guard !request.body.isEmpty else {
                throw ServiceError(400, "empty_body", "the body is empty, expected a PNG or JPEG")
            }
            return (PictureBody(pictures: .raw(request.body)), try OptionReader(query: request.head.query))
        }
        return (PictureBody(pictures: .texts([])), OptionReader(json: try jsonObject(request)))
    }

    /// Takes `input` out of JSON's members; a raw body is its own input.
    mutating func readInput(_ options: inout OptionReader, limits: ServiceLimits) throws(ServiceError) {
        guard case .texts = pictures else { return }
        let expected = "a string of base64, a data: URL, or a list of them"
        switch options.value("input") {
        case .string(let text): pictures = .texts([text])
        case .array(let elements):
            try checkImageCount(elements.count, name: "input", limits)
            var texts: [String] = []
            for (index, element) in elements.enumerated() {
                guard case .string(let text) = element else {
                    throw .badOption("input[\(index)]", "found \(element.kind), expected a string")
                }
                texts.append(text)
            }
            pictures = .texts(texts)
        case let other?: throw .badOption("input", "found \(other.kind), expected \(expected)")
        case nil:
            throw ServiceError(400, "missing_member", "there is no 'input', expected \(expected)", param: "input")
        }
    }

    /// The file of one picture.
    func bytes(_ index: Int) throws(ServiceError) -> [UInt8] {
        switch pictures {
        case .raw(let bytes): return bytes
        case .texts(let texts): return try Base64.picture(texts[index])
        }
    }
}

/// The object that a JSON body is.
///
/// - Throws: where it isn't one, or where options stand in the query, which JSON leaves no room for.
func jsonObject(_ request: HTTPRequest) throws(ServiceError) -> JSONObject {
    if let item = request.head.query.first {
        throw ServiceError(
            400, "unknown_option",
            "'\(shortened(item.name))' is in the query; with a JSON body options are its members",
            param: shortened(item.name))
    }
    let value: JSONValue
    do throws(JSONError) {
        value = try JSONValue.parse(request.body)
    } catch {
        throw ServiceError(error)
    }
    guard let object = value.objectValue else {
        throw ServiceError(400, "invalid_json", "the body is \(value.kind), expected an object")
    }
    return object
}

/// - Throws: for none, and for more than are allowed.
func checkImageCount(_ count: Int, name: String, _ limits: ServiceLimits) throws(ServiceError) {
    guard count > 0 else { throw .badOption(name, "found an empty list, expected at least one image") }
    let most = limits.mostImages
    guard count <= most else {
        throw ServiceError(
            413, "too_many_images", "'\(name)': found \(count) images, at most \(most) are taken at once", param: name)
    }
}

extension TokenService {
    /// One picture of a request as the model takes it. On a preprocessing thread.
    func prepare(
        _ body: PictureBody, _ index: Int, options: PictureOptions, for model: Engine.Model
    ) throws(ServiceError) -> PreparedPicture {
        try Processing.prepare(
            try body.bytes(index), options: options, preprocessing: model.contract.preprocessing,
            limits: configuration.limits, budget: budget)
    }
}
