import ImageInput
import JSON
import TokenizerCore

/// One image of an encoding's response.
public struct EncodedImage: Sendable {
    public let source: SourceInfo
    /// Local ids.
    public let tokens: TokenSequence

    public init(source: SourceInfo, tokens: TokenSequence) {
        self.source = source
        self.tokens = tokens
    }
}

/// The bodies of responses from their values. The command line prints the same bytes.
public enum ResponseJSON {
    /// `{"object":"list","model":…,"data":[…],"contract":…,"usage":{…}}`; an item that failed has `error` in place of
    /// `tokens`, which names the item where there are several.
    ///
    /// - Parameter name: what the request calls its images.
    public static func tokens(
        _ items: [Result<EncodedImage, some DescribedError>], named name: String = "input", model: String,
        contract: TokenContract, idSpace: IDSpace
    ) -> [UInt8] {
        var data: [JSONValue] = []
        var images = 0
        for (index, item) in items.enumerated() {
            var object: JSONObject = JSONObject([("object", "image.tokens"), ("index", JSONValue(index))])
            switch item {
            case .success(let image):
                images += 1
                fill(&object, with: image, contract: contract, idSpace: idSpace)
            case .failure(let error): object["error"] = value(of: placed(error, name, index, of: items.count))
            }
            data.append(.object(object))
        }
        let body: JSONValue = [
            "object": "list", "model": .string(model), "data": .array(data), "contract": .string(contract.fingerprint),
            "usage": ["images": JSONValue(images), "tokens": JSONValue(images * contract.tokensPerImage)],
        ]
        return body.write()
    }

    private static func fill(
        _ object: inout JSONObject, with image: EncodedImage, contract: TokenContract, idSpace: IDSpace
    ) {
        let ids = TokenIDs.published(image.tokens.ids, contract, in: idSpace)
        object["tokens"] = JSONValue(ids)
        object["shape"] = [JSONValue(ids.count)]
        if let margins = image.tokens.margins { object["margin"] = JSONValue(margins) }
        object["source"] = [
            "width": JSONValue(image.source.width), "height": JSONValue(image.source.height),
            "format": .string(image.source.format.rawValue),
        ]
    }

    /// Bytes per id: 2 where local ids fit, else 4.
    public static func idBytes(_ contract: TokenContract, _ idSpace: IDSpace) -> Int {
        idSpace == .local && contract.codebookSize <= 65_536 ? 2 : 4
    }

    /// Ids one after the other, little-endian.
    ///
    /// - Parameter bytesEach: bytes per id, at most 4; `nil`: `idBytes`.
    public static func tokenOctets(
        _ images: [EncodedImage], contract: TokenContract, idSpace: IDSpace, bytesEach: Int? = nil
    ) -> [UInt8] {
        let size = bytesEach ?? idBytes(contract, idSpace)
        var bytes: [UInt8] = []
        bytes.reserveCapacity(images.count * contract.tokensPerImage * size)
        for image in images {
            for id in TokenIDs.published(image.tokens.ids, contract, in: idSpace) {
                for shift in 0..<size { bytes.append(UInt8(truncatingIfNeeded: id >> UInt32(8 * shift))) }
            }
        }
        return bytes
    }

    /// An .npy file of shape (images, tokens), uint16 or uint32.
    public static func tokenArray(_ images: [EncodedImage], contract: TokenContract, idSpace: IDSpace) -> [UInt8] {
        Npy.file(
            type: "<u\(idBytes(contract, idSpace))", shape: [images.count, contract.tokensPerImage],
            values: tokenOctets(images, contract: contract, idSpace: idSpace))
    }

    /// `{"data":[{"index":0,"b64_json":…}]}` of PNG files; an item that failed has `error` in place of
    /// `b64_json`, which names the item where there are several.
    public static func images(_ files: [Result<[UInt8], some DescribedError>]) -> [UInt8] {
        let data = files.enumerated().map { index, file -> JSONValue in
            switch file {
            case .success(let bytes): ["index": JSONValue(index), "b64_json": .string(Base64.encode(bytes))]
            case .failure(let error):
                ["index": JSONValue(index), "error": value(of: placed(error, "tokens", index, of: files.count))]
            }
        }
        let body: JSONValue = ["data": .array(data)]
        return body.write()
    }

    /// An .npy file of shape (images, height, width, 3), uint8; all images have the model's size.
    public static func imageArray(_ images: [RGBImage], contract: TokenContract) -> [UInt8] {
        let size = contract.preprocessing.size
        return Npy.file(
            type: "|u1", shape: [images.count, size, size, 3], values: images.flatMap(\.pixels))
    }

    /// An .npy file of float32.
    public static func codebook(_ table: CodebookTable) -> [UInt8] {
        Npy.file(shape: table.shape, values: table.values)
    }

    /// `{"object":"list","data":[…]}` of what is loaded.
    public static func models(_ models: [(id: String, contract: TokenContract)], limits: ServiceLimits) -> [UInt8] {
        let data = models.map { value(of: $0.id, $0.contract, limits) }
        let body: JSONValue = ["object": "list", "data": .array(data)]
        return body.write()
    }

    /// One loaded model: its token contract, limits and precision.
    public static func model(_ id: String, contract: TokenContract, limits: ServiceLimits) -> [UInt8] {
        value(of: id, contract, limits).write()
    }

    private static func value(of id: String, _ contract: TokenContract, _ limits: ServiceLimits) -> JSONValue {
        let special = contract.specialIDs
        return [
            "id": .string(id), "object": "model", "architecture": .string(contract.architecture),
            "parameters": JSONValue(contract.parameters), "precision": .string(contract.precision.rawValue),
            "tokens_per_image": JSONValue(contract.tokensPerImage), "codebook_size": JSONValue(contract.codebookSize),
            "per_position_codebooks": .bool(contract.perPositionCodebooks),
            "assignments": JSONValue(contract.assignments.map(\.rawValue)),
            "steps": contract.defaultSteps.map { JSONValue($0) } ?? .null,
            "temperature": contract.defaultTemperature.map { JSONValue($0) } ?? .null,
            "preprocessing": [
                "size": JSONValue(contract.preprocessing.size),
                "filter": .string(contract.preprocessing.filter.rawValue),
            ],
            "special_ids": [
                "mask": JSONValue(special.mask), "class_offset": JSONValue(special.classOffset),
                "classes": JSONValue(special.classes), "no_class": JSONValue(special.noClass),
            ],
            "limits": [
                "images_per_request": JSONValue(limits.mostImages),
                "image_bytes": JSONValue(limits.image.fileBytes), "image_pixels": JSONValue(limits.image.pixels),
                "body_bytes": JSONValue(limits.bodyBytes),
            ],
            "contract": .string(contract.fingerprint),
        ]
    }

    /// `{"error":{"message","type","code","param","request_id"}}`.
    public static func error(_ error: some DescribedError, requestID: String) -> [UInt8] {
        var object = value(of: error).objectValue ?? JSONObject()
        object["request_id"] = .string(requestID)
        let body: JSONValue = ["error": .object(object)]
        return body.write()
    }

    /// Of a single item there is nothing to tell apart.
    private static func placed<E: DescribedError>(_ error: E, _ name: String, _ index: Int, of count: Int) -> E {
        count > 1 ? error.placed(name, index) : error
    }

    private static func value(of error: some DescribedError) -> JSONValue {
        [
            "message": .string(error.message), "type": .string(error.type), "code": .string(error.code),
            "param": error.param.map { .string($0) } ?? .null,
        ]
    }
}
