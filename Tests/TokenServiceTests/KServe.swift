import HTTPWire
import JSON
import Testing

@testable import TokenService

/// A request of the Open Inference Protocol.
struct Inference: Sendable, CustomTestStringConvertible {
    var json: String
    /// What stands behind the JSON; `nil`: nothing, and no field that tells where it would begin.
    var binary: [UInt8]?

    var testDescription: String { "\(json.prefix(90)) + \(binary.map { "\($0.count)" } ?? "nothing")" }

    init(_ json: String, _ binary: [UInt8]? = nil) {
        self.json = json
        self.binary = binary
    }

    /// One input and further members.
    static func input(
        _ name: String, _ datatype: String, _ shape: [Int], data: String, _ more: String = ""
    ) -> Inference {
        Inference(
            #"{"inputs":[{"name":"\#(name)","datatype":"\#(datatype)","shape":\#(shape),"data":\#(data)}]\#(more)}"#)
    }

    static func input(
        _ name: String, _ datatype: String, _ shape: [Int], binary: [UInt8], _ more: String = ""
    ) -> Inference {
        let tensor = #""name":"\#(name)","datatype":"\#(datatype)","shape":\#(shape)"#
        return Inference(
            #"{"inputs":[{\#(tensor),"parameters":{"binary_data_size":\#(binary.count)}}]\#(more)}"#, binary)
    }

    var fields: [(String, String)] {
        binary == nil
            ? [("Content-Type", "application/json")]
            : [("Inference-Header-Content-Length", "\(json.utf8.count)")]
    }

    var body: [UInt8] { Array(json.utf8) + (binary ?? []) }
}

extension Client {
    func infer(_ model: String, _ inference: Inference) throws -> HTTPResponse {
        try send("POST", "/v2/models/\(model)/infer", inference.fields, inference.body)
    }
}

/// The one output of an answer: the JSON that describes it, and the bytes behind that.
struct InferenceOutput {
    let answer: JSONValue
    let output: JSONValue
    let binary: [UInt8]

    init(_ response: HTTPResponse) throws {
        let length = response.headers.first("Inference-Header-Content-Length").flatMap { Int($0) }
        let end = length ?? response.body.count
        answer = try JSONValue.parse(response.body[..<end])
        output = answer["outputs"]?[0] ?? .null
        binary = Array(response.body[end...])
    }
}

/// An element of BYTES in binary data.
func element(_ bytes: [UInt8]) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: bytes.count >> (8 * $0)) } + bytes
}

/// Numbers in binary data.
func littleEndian(_ numbers: [Int], width: Int) -> [UInt8] {
    numbers.flatMap { number in (0..<width).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) } }
}

/// The message of an error in the protocol's form, which has nothing else.
func protocolError(_ response: HTTPResponse) throws -> String? {
    let answer = try JSONValue.parse(response.body)
    return answer.objectValue?.names == ["error"] ? answer["error"]?.stringValue : nil
}
