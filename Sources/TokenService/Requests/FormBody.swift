import HTTPWire
import ImageInput
import TokenFormats

/// A body of multipart/form-data, taken apart: where its files are, and its other fields as text.
struct FormBody: Sendable {
    private struct File: Sendable {
        let range: Range<Int>
        let contentType: String?
    }

    /// The name of a part that holds an image.
    static let file = "file"
    /// Parts that may stand beside the images; far more than there are options.
    private static let otherParts = 64
    /// Bytes of an option's value that are read; no valid one is as long.
    private static let valueBytes = 1024

    /// The whole body: an image is copied out when its turn comes.
    private let bytes: [UInt8]
    private var files: [File] = []
    /// Names and values of the parts that aren't files, in the order of the request.
    private(set) var fields: [QueryItem] = []

    var fileCount: Int { files.count }

    /// - Throws: 400 for a malformed body, 413 for too many parts, 415 for a part in base64 or quoted-printable.
    init(_ request: HTTPRequest, _ limits: ServiceLimits) throws(ServiceError) {
        bytes = request.body
        do throws(HTTPWireError) {
            try read(
                boundary: try MultipartBoundary(request.head.headers), limits)
        } catch {
            throw ServiceError(error)
        }
    }

    private mutating func read(boundary: MultipartBoundary, _ limits: ServiceLimits) throws(HTTPWireError) {
        var most = MultipartLimits()
        most.parts = limits.mostImages + Self.otherParts
        var parser = MultipartParser(boundary: boundary, limits: most)
        var input = bytes[...]
        var part: MultipartPart?
        var range = 0..<0
        while true {
            switch try parser.next(&input) {
            case .part(let next):
                part = next
                range = parser.offset..<parser.offset
            case .body(let data): range = range.lowerBound..<(range.upperBound + data.count)
            case .partEnd:
                if let part { add(part, range) }
            case .needMore, .end: return try parser.finish()
            }
        }
    }

    private mutating func add(_ part: MultipartPart, _ range: Range<Int>) {
        if part.name == Self.file {
            files.append(File(range: range, contentType: part.contentType))
        } else {
            var value = String(decoding: bytes[range].prefix(Self.valueBytes), as: UTF8.self)
            // Makes of a value that is cut one that no option takes.
            if range.count > Self.valueBytes { value += "…" }
            fields.append(QueryItem(part.name, value))
        }
    }

    /// The file of one image.
    ///
    /// - Throws: 415 for a content type that isn't among `types`, 413 for a file over the limit.
    func image(_ index: Int, of types: [String], _ limits: ImageLimits) throws(ServiceError) -> [UInt8] {
        let file = files[index]
        if let type = file.contentType, !types.contains(MediaType.essence(type)) {
            let known = types.joined(separator: ", ")
            throw ServiceError(
                415, "unsupported_content_type",
                "the part's Content-Type '\(shortened(type))' is not read here; expected one of \(known), or none",
                param: "Content-Type")
        }
        guard file.range.count <= limits.fileBytes else {
            throw ServiceError(FormatError(ImageError.fileBytes(found: file.range.count, limit: limits.fileBytes)))
        }
        return Array(bytes[file.range])
    }
}
