import HTTPWire
import JSON
import TokenFormats

/// A request of the Open Inference Protocol with the binary tensor data extension: a JSON object, and behind it the
/// bytes of those tensors that tell a `binary_data_size`, in the order of the tensors.
///
/// Members that the protocol doesn't have are passed over; parameters that are not known here are refused, for they
/// would change what the client means.
public struct InferenceRequest: Sendable {
    /// An output that the request selects.
    struct Output: Sendable, Equatable {
        let name: String
        /// Whether its values are wanted as bytes; `nil`: what the request says of all outputs.
        let isBinary: Bool?
    }

    /// Tells where the JSON ends and the bytes begin; without it all is JSON.
    static let lengthField = "Inference-Header-Content-Length"

    /// Comes back in the response.
    let id: String?
    let parameters: JSONObject
    public let inputs: [InferenceTensor]
    /// Empty: all there are.
    let outputs: [Output]

    /// - Parameter jsonLength: bytes of JSON at the body's start; `nil`: all of it.
    /// - Throws: 400 for anything that isn't as the protocol has it.
    public init(_ body: [UInt8], jsonLength: Int? = nil) throws(ServiceError) {
        let end = jsonLength ?? body.count
        guard (0...body.count).contains(end) else {
            throw .badOption(Self.lengthField, "found \(end), the body has \(body.count) bytes")
        }
        var members = OptionReader(json: try jsonObject(body[..<end]))
        id = try members.string("id")
        parameters = try members.object("parameters") ?? JSONObject()
        var binary = body[end...]
        inputs = try Self.each(try members.list("inputs") ?? [], "inputs") { value throws(ServiceError) in
            try InferenceTensor(value, binary: &binary)
        }
        guard binary.isEmpty else {
            throw .badOption("inputs", "\(binary.count) bytes are left behind those of the last input")
        }
        outputs = try Self.each(try members.list("outputs") ?? [], "outputs") { value throws(ServiceError) in
            try Output(value)
        }
    }

    /// The only input, which has that name.
    func input(_ name: String) throws(ServiceError) -> InferenceTensor {
        guard let input = inputs.first else {
            throw ServiceError(400, "missing_member", "there is no input, expected '\(name)'", param: "inputs")
        }
        guard input.name == name else {
            throw .badOption("inputs[0]", "found '\(shortened(input.name))', expected '\(name)'")
        }
        guard inputs.count == 1 else {
            throw .badOption("inputs", "found \(inputs.count) inputs, expected only '\(name)'")
        }
        return input
    }

    /// Whether the only output, which has that name, is wanted as bytes.
    ///
    /// - Parameter fallback: what counts where the output itself doesn't say.
    func wantsBinary(_ name: String, fallback: Bool) throws(ServiceError) -> Bool {
        guard let output = outputs.first else { return fallback }
        guard output.name == name else {
            throw .badOption("outputs[0]", "found '\(shortened(output.name))', expected '\(name)'")
        }
        guard outputs.count == 1 else {
            throw .badOption("outputs", "found \(outputs.count) outputs, expected only '\(name)'")
        }
        return output.isBinary ?? fallback
    }

    /// What the head says about the length of the JSON.
    static func jsonLength(_ head: HTTPRequestHead) throws(ServiceError) -> Int? {
        let values = head.headers.all(lengthField)
        guard let text = values.first else { return nil }
        guard values.count == 1, text.utf8.count <= 9, let length = Int(digits: text) else {
            let found = values.map { "'\(shortened($0))'" }.joined(separator: ", ")
            throw .badOption(lengthField, "found \(found), expected the length of the JSON in bytes")
        }
        return length
    }

    private static func each<Element>(
        _ values: [JSONValue], _ name: String, _ read: (JSONValue) throws(ServiceError) -> Element
    ) throws(ServiceError) -> [Element] {
        var elements: [Element] = []
        for (index, value) in values.enumerated() {
            do throws(ServiceError) {
                elements.append(try read(value))
            } catch {
                throw error.placed(name, index)
            }
        }
        return elements
    }
}

extension InferenceRequest.Output {
    fileprivate init(_ value: JSONValue) throws(ServiceError) {
        var members = try OptionReader(tensor: value)
        name = try members.name()
        var parameters = OptionReader(json: try members.object("parameters") ?? JSONObject())
        isBinary = try parameters.bool("binary_data")
        try parameters.takeContentType()
        try parameters.finish()
    }
}

extension OptionReader {
    /// The members of an input or output.
    init(tensor value: JSONValue) throws(ServiceError) {
        guard let object = value.objectValue else {
            throw ServiceError(400, "invalid_option", "found \(value.kind), expected an object")
        }
        self.init(json: object)
    }

    /// The name of an input or output.
    mutating func name() throws(ServiceError) -> String {
        guard let name = try string("name") else {
            throw ServiceError(400, "missing_member", "there is no 'name', expected a string", param: "name")
        }
        return name
    }

    mutating func object(_ name: String) throws(ServiceError) -> JSONObject? {
        guard let value = value(name) else { return nil }
        guard let object = value.objectValue else {
            throw .badOption(name, "found \(value.kind), expected an object")
        }
        return object
    }

    mutating func list(_ name: String) throws(ServiceError) -> [JSONValue]? {
        guard let value = value(name) else { return nil }
        guard let list = value.arrayValue else { throw .badOption(name, "found \(value.kind), expected a list") }
        return list
    }
}
