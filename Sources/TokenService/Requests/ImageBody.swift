import Batching
import HTTPWire
import ImageInput
import JSON
import TokenFormats
import TokenizerCore

/// The images of a request: a raw body, the `file` parts of a form, or the `input` of a JSON body.
package struct ImageBody: Sendable {
    private enum Source: Sendable {
        case raw([UInt8])
        case form(FormBody)
        case texts([String])
        case parts([ArraySlice<UInt8>])
    }

    /// What a raw body, or a `file` of a form, may say that it is.
    private static let types = [MediaType.png, MediaType.jpeg, MediaType.octets]

    private var source: Source
    /// What the request calls its images.
    let name: String
    /// Whether it calls them by their numbers, a single one too.
    private var isList = false

    /// Images of a JSON body, each base64 or a data: URL.
    init(texts: [String], named name: String) {
        self.init(source: .texts(texts), name: name, isList: true)
    }

    /// Files within a larger body; each is copied out when its turn comes.
    init(parts: [ArraySlice<UInt8>], named name: String) {
        self.init(source: .parts(parts), name: name, isList: true)
    }

    private init(source: Source, name: String = "input", isList: Bool = false) {
        self.source = source
        self.name = name
        self.isList = isList
    }

    package var count: Int {
        switch source {
        case .raw: 1
        case .form(let form): form.fileCount
        case .texts(let texts): texts.count
        case .parts(let parts): parts.count
        }
    }

    /// What the request calls its only image. `nil` for a raw body, which has no name, and among several, which the
    /// response tells apart.
    private var onlyPlace: String? {
        guard count == 1 else { return nil }
        switch source {
        case .raw: return nil
        case .form: return name
        case .texts, .parts: return isList ? "\(name)[0]" : name
        }
    }

    /// An error of an image, with its place in the request.
    func placed(_ error: ServiceError) -> ServiceError { onlyPlace.map { error.placed($0) } ?? error }

    static func inputs(_ limits: ServiceLimits) -> [(type: String, limit: Int)] {
        [(MediaType.json, limits.bodyBytes), (MediaType.form, limits.bodyBytes)]
            + types.map { ($0, limits.image.fileBytes) }
    }

    /// The body, and where its options are: in the query of a raw one, in a form's fields, in JSON's members.
    static func read(
        _ head: HTTPRequestHead, _ work: WorkRequest, _ limits: ServiceLimits
    ) throws(ServiceError) -> (ImageBody, OptionReader) {
        switch work.rule.contentType(of: head) {
        case MediaType.json:
            return (ImageBody(source: .texts([])), OptionReader(json: try jsonObject(head, work.body)))
        case MediaType.form:
            try refuseQuery(head, "with a form options are its fields")
            let form = try FormBody(HTTPRequest(head: head, body: work.body), limits)
            return (ImageBody(source: .form(form), name: FormBody.file), try OptionReader(form: form))
        default:
            guard !work.body.isEmpty else {
                throw ServiceError(400, "empty_body", "the body is empty, expected a PNG or JPEG")
            }
            return (ImageBody(source: .raw(work.body)), try OptionReader(query: head.query))
        }
    }

    /// Takes `input` out of JSON's members, and checks that a form has files; a raw body is its own input.
    mutating func readInput(_ options: inout OptionReader, limits: ServiceLimits) throws(ServiceError) {
        switch source {
        case .raw, .parts: return
        case .form(let form): try Self.checkFiles(form, &options, limits)
        case .texts:
            let (texts, isList) = try Self.texts(&options, limits)
            (source, self.isList) = (.texts(texts), isList)
        }
    }

    private static func checkFiles(
        _ form: FormBody, _ options: inout OptionReader, _ limits: ServiceLimits
    ) throws(ServiceError) {
        // The message about an unknown field lists this one too.
        _ = options.value(FormBody.file)
        guard form.fileCount > 0 else {
            try options.finish()
            throw ServiceError(
                400, "missing_file", "no part of the form is named '\(FormBody.file)', expected one for each picture",
                param: FormBody.file)
        }
        try translated(try checkImageCount(form.fileCount, name: FormBody.file, limits))
    }

    private static func texts(
        _ options: inout OptionReader, _ limits: ServiceLimits
    ) throws(ServiceError) -> (texts: [String], isList: Bool) {
        let expected = "a string of base64, a data: URL, or a list of them"
        switch options.value("input") {
        case .string(let text): return ([text], false)
        case .array(let elements):
            try translated(try checkImageCount(elements.count, name: "input", limits))
            var texts: [String] = []
            for (index, element) in elements.enumerated() {
                guard case .string(let text) = element else {
                    throw .badOption("input[\(index)]", "found \(element.kind), expected a string")
                }
                texts.append(text)
            }
            return (texts, true)
        case let other?: throw .badOption("input", "found \(other.kind), expected \(expected)")
        case nil:
            throw ServiceError(400, "missing_member", "there is no 'input', expected \(expected)", param: "input")
        }
    }

    /// The file of one image.
    func bytes(_ index: Int, _ limits: ServiceLimits) throws(ServiceError) -> [UInt8] {
        switch source {
        case .raw(let bytes): return bytes
        case .form(let form): return try form.image(index, of: Self.types, limits.image)
        case .texts(let texts): return try translated(try Base64.image(texts[index]))
        case .parts(let parts): return Array(parts[index])
        }
    }
}

/// The object that a JSON body is.
///
/// - Throws: where it isn't one, or where options stand in the query, which JSON leaves no room for.
func jsonObject(_ head: HTTPRequestHead, _ body: [UInt8]) throws(ServiceError) -> JSONObject {
    try refuseQuery(head, "with a JSON body options are its members")
    return try jsonObject(body[...])
}

/// The object that a JSON text is.
///
/// - Throws: where it isn't one.
func jsonObject(_ text: ArraySlice<UInt8>) throws(ServiceError) -> JSONObject {
    let value: JSONValue
    do throws(JSONError) {
        value = try JSONValue.parse(text, extensions: .byteOrderMark)
    } catch {
        throw ServiceError(error)
    }
    guard let object = value.objectValue else {
        throw ServiceError(400, "invalid_json", "the body is \(value.kind), expected an object")
    }
    return object
}

/// - Throws: where a query stands beside a body that has room for options.
func refuseQuery(_ head: HTTPRequestHead, _ place: String) throws(ServiceError) {
    guard let name = head.query.first.map({ shortened($0.name) }) else { return }
    throw ServiceError(400, "unknown_option", "'\(name)' is in the query; \(place)", param: name)
}

extension Exchange {
    /// One image as the model takes it. On a preprocessing thread.
    func prepare(
        _ body: ImageBody, _ index: Int, options: PictureOptions, for model: Engine.Model
    ) throws(ServiceError) -> PreparedImage {
        let limits = service.configuration.limits
        return try timed(\.preprocess) { () throws(ServiceError) in
            do throws(ServiceError) {
                let file = try body.bytes(index, limits)
                do throws(ImageError) {
                    return try PreparedImage(
                        file, options: options, preprocessing: model.contract.preprocessing, limits: limits.image,
                        budget: service.budget)
                } catch {
                    throw ServiceError(FormatError(error))
                }
            } catch {
                throw body.placed(error)
            }
        }
    }
}
