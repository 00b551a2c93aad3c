import HTTPWire
import JSON
import Testing

@testable import TokenService

/// Parameters that clients of the protocol set by themselves, at a request, an input or an output.
@Suite(.timeLimit(.minutes(5))) struct KServeParameterTests {
    private static let client = try? Client()

    enum Level: String, CaseIterable {
        case request, input, output

        /// A request with one parameter in its place, for a model that encodes or one that decodes.
        func body(_ parameter: String, decodes: Bool, isBinary: Bool) -> Inference {
            let parameters = { (level: Level, more: String) in
                let members = [more, level == self ? parameter : ""].filter { !$0.isEmpty }
                return #""parameters":{\#(members.joined(separator: ","))}"#
            }
            let bytes = decodes ? littleEndian([1, 2, 3, 4], width: 4) : element(png(5))
            let data = decodes ? "[1,2,3,4]" : "[\"\(base64(png(5)))\"]"
            let size = isBinary ? "\"binary_data_size\":\(bytes.count)" : ""
            var input = decodes ? #""name":"tokens","datatype":"INT32","shape":[1,4]"# : ""
            if !decodes { input = #""name":"image","datatype":"BYTES","shape":[1]"# }
            input += "," + parameters(.input, size) + (isBinary ? "" : ",\"data\":\(data)")
            let output = #""name":"\#(decodes ? "image" : "tokens")","# + parameters(.output, "")
            let json = #"{"inputs":[{\#(input)}],"outputs":[{\#(output)}],"# + parameters(.request, "") + "}"
            return Inference(json, isBinary ? bytes : nil)
        }
    }

    /// Each changes nothing.
    private static let taken: [(Level, [String])] = [
        (
            .request,
            [
                #""timeout":0"#, #""timeout":5000000"#, #""timeout":9223372036854775807"#,
                #""timeout":18446744073709551615"#, #""timeout":null"#, #""priority":0"#, #""priority":1"#,
                #""priority":18446744073709551615"#, #""content_type":"np""#, #""content_type":"""#,
                #""content_type":null"#,
                #""sequence_id":0"#, #""sequence_id":"""#, #""sequence_id":null"#, #""sequence_start":false"#,
                #""sequence_end":false"#, #""sequence_id":0,"sequence_start":false,"sequence_end":false"#,
                #""binary_data":false"#, #""binary_data":true"#, #""binary_data_output":false"#,
                #""timeout":1,"priority":2,"content_type":"pd","sequence_id":0,"binary_data_output":false"#,
            ]
        ),
        (
            .input,
            [
                #""content_type":"np""#, #""content_type":"base64""#, #""content_type":null"#, #""binary_data":true"#,
                #""binary_data":false"#, #""binary_data":null,"content_type":"image/png""#,
            ]
        ),
        (
            .output,
            [
                #""content_type":"np""#, #""content_type":"str""#, #""content_type":null"#, #""binary_data":false"#,
                #""binary_data":null"#, #""binary_data":false,"content_type":"np""#,
            ]
        ),
    ]

    /// With part of the message.
    private static let refused: [(Level, String, String)] =
        [
            // Wrong types.
            (.request, #""timeout":-1"#, "'timeout': found -1, expected an integer in 0...18446744073709551615"),
            (.request, #""timeout":1.5"#, "'timeout': found 1.5"),
            (.request, #""timeout":"1""#, "'timeout': found '1'"),
            (.request, #""timeout":true"#, "'timeout': found true"), (.request, #""timeout":[1]"#, "found an array"),
            (.request, #""timeout":18446744073709551617e1"#, "'timeout'"),
            (.request, #""priority":-1"#, "'priority': found -1"),
            (.request, #""priority":"high""#, "'priority': found 'high'"),
            (.request, #""priority":{}"#, "'priority': found an object"),
            (.request, #""content_type":1"#, "'content_type': found 1, expected a string"),
            (.request, #""content_type":["np"]"#, "'content_type': found an array"),
            (.request, #""binary_data":1"#, "'binary_data': found 1, expected true or false"),
            (.request, #""binary_data_output":0"#, "'binary_data_output': found 0"),
            (.request, #""sequence_start":0"#, "'sequence_start': found 0"),
            (.request, #""sequence_end":"false""#, "'sequence_end': found 'false'"),
            (.input, #""content_type":1"#, "inputs[0]: 'content_type': found 1"),
            (.input, #""binary_data":"true""#, "inputs[0]: 'binary_data': found 'true'"),
            (.output, #""content_type":{}"#, "outputs[0]: 'content_type': found an object"),
            (.output, #""binary_data":"true""#, "outputs[0]: 'binary_data': found 'true'"),
            // Values that would mean something.
            (.request, #""sequence_id":1"#, "'sequence_id': found 1, expected 0"),
            (.request, #""sequence_id":-1"#, "'sequence_id': found -1"),
            (.request, #""sequence_id":0.0"#, "'sequence_id': found 0"),
            (.request, #""sequence_id":"0""#, "'sequence_id': found '0'"),
            (.request, #""sequence_id":"a""#, "'sequence_id': found 'a'"),
            (.request, #""sequence_id":false"#, "'sequence_id': found false"),
            (.request, #""sequence_start":true"#, "'sequence_start': found true, expected false"),
            (.request, #""sequence_id":0,"sequence_end":true"#, "'sequence_end': found true, expected false"),
        ]
        + [
            "shared_memory_region", "shared_memory_byte_size", "shared_memory_offset", "classification", "headers",
            "triton_enable_empty_final_response", "timeout_ms", "Timeout", "prio",
        ].flatMap { name in Level.allCases.map { ($0, "\"\(name)\":1", "'\(name)' is not an option here") } }
        + [
            (.input, #""timeout":1"#, "'timeout' is not an option here"),
            (.input, #""binary_data_output":true"#, "'binary_data_output' is not an option here"),
            (.output, #""priority":1"#, "'priority' is not an option here"),
            (.output, #""sequence_id":0"#, "'sequence_id' is not an option here"),
            (.output, #""binary_data_size":0"#, "'binary_data_size' is not an option here"),
        ]

    private func answer(_ body: Inference, decodes: Bool) throws -> HTTPResponse {
        try #require(Self.client).infer(decodes ? "m-decode" : "m-encode", body)
    }

    @Test(arguments: [false, true], [false, true]) func changesNothing(decodes: Bool, isBinary: Bool) throws {
        let plain = try answer(Level.request.body("", decodes: decodes, isBinary: isBinary), decodes: decodes)
        try #require(plain.status == 200)
        for (level, parameters) in Self.taken {
            for parameter in parameters {
                let body = level.body(parameter, decodes: decodes, isBinary: isBinary)
                let response = try answer(body, decodes: decodes)
                #expect(response.status == 200, "\(level) \(parameter): \(text(response))")
                #expect(response.body == plain.body, "\(level) \(parameter)")
            }
        }
    }

    @Test(arguments: [false, true], [false, true]) func isRefused(decodes: Bool, isBinary: Bool) throws {
        for (level, parameter, says) in Self.refused {
            let body = level.body(parameter, decodes: decodes, isBinary: isBinary)
            let response = try answer(body, decodes: decodes)
            #expect(response.status == 400, "\(level) \(parameter)")
            let message = try protocolError(response)
            #expect(message?.contains(says) == true, "\(level) \(parameter): \(message ?? "no message")")
        }
    }

    /// `binary_data` belongs to an output; of a request or an input it decides nothing.
    @Test func onlyAnOutputsBinaryDataDecides() throws {
        for level in Level.allCases {
            let body = level.body(#""binary_data":true"#, decodes: false, isBinary: true)
            let type = try answer(body, decodes: false).headers.first("Content-Type")
            #expect(type == (level == .output ? "application/octet-stream" : "application/json"))
        }
    }

    /// The bodies that tritonclient 2.73.0's `_get_inference_request` makes.
    @Test(arguments: [
        (#"{"timeout":1000,"binary_data_output":true}"#, 200), (#"{"priority":3,"binary_data_output":true}"#, 200),
        (#"{"priority":1,"timeout":0,"binary_data_output":true}"#, 200), (#"{"binary_data_output":true}"#, 200),
        (#"{"binary_data_output":true,"content_type":"np"}"#, 200),
        (#"{"sequence_id":5,"sequence_start":true,"sequence_end":false,"binary_data_output":true}"#, 400),
        (
            #"{"sequence_id":"s","sequence_start":false,"sequence_end":true,"priority":1,"binary_data_output":true}"#,
            400
        ),
    ])
    func tritonsOwnBodies(parameters: String, status: Int) throws {
        let body = Inference.input("image", "BYTES", [1], binary: element(png(5)), ",\"parameters\":\(parameters)")
        #expect(try answer(body, decodes: false).status == status)
    }
}
