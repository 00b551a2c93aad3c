import JSON
import Testing

@testable import TokenFormats
@testable import TokenService

/// A body that isn't as the protocol has it.
struct MalformedInference: Sendable, CustomTestStringConvertible {
    let body: Inference
    /// Bytes of JSON that are told; by default as many as there are.
    var length: Int?
    /// Part of the message.
    let says: String

    var testDescription: String { "\(body.json.prefix(90)) + \(body.binary?.count ?? 0) -> \(says)" }

    static func tensor(_ members: String, _ binary: [UInt8]? = nil, says: String) -> MalformedInference {
        MalformedInference(body: Inference("{\"inputs\":[{\(members)}]}", binary), says: says)
    }
}

private let named = #""name":"x","datatype":"INT8","shape":[2]"#

private let malformed: [MalformedInference] = [
    MalformedInference(body: Inference(""), says: "not JSON"),
    MalformedInference(body: Inference("{"), says: "at byte 1"),
    MalformedInference(body: Inference("[]"), says: "an array, expected an object"),
    MalformedInference(body: Inference("{}"), length: 3, says: "the body has 2 bytes"),
    MalformedInference(body: Inference("{}"), length: -1, says: "found -1"),
    MalformedInference(body: Inference("{}", [1]), says: "1 bytes are left behind those of the last input"),
    MalformedInference(body: Inference(#"{"id":7}"#), says: "'id': found 7, expected a string"),
    MalformedInference(
        body: Inference(#"{"parameters":[]}"#), says: "'parameters': found an array, expected an object"),
    MalformedInference(body: Inference(#"{"inputs":{}}"#), says: "'inputs': found an object, expected a list"),
    MalformedInference(body: Inference(#"{"inputs":[7]}"#), says: "inputs[0]: found a number, expected an object"),
    MalformedInference(body: Inference(#"{"outputs":"tokens"}"#), says: "'outputs': found a string"),
    MalformedInference(body: Inference(#"{"outputs":[{}]}"#), says: "outputs[0]: there is no 'name'"),
    MalformedInference(
        body: Inference(#"{"outputs":[{"name":"x"},{"name":"y","parameters":{"binary_data":1}}]}"#),
        says: "outputs[1]: 'binary_data': found 1"),
    MalformedInference(
        body: Inference(#"{"outputs":[{"name":"x","parameters":{"classification":2}}]}"#),
        says: "'classification' is not an option here"),
    .tensor("", says: "inputs[0]: there is no 'name'"),
    .tensor(#""name":"x""#, says: "there is no 'datatype'"),
    .tensor(#""name":"x","datatype":8"#, says: "'datatype': found 8"),
    .tensor(#""name":"x","datatype":"INT8""#, says: "there is no 'shape'"),
    .tensor(#""name":"x","datatype":"INT8","shape":4"#, says: "'shape': found a number"),
    .tensor(#""name":"x","datatype":"INT8","shape":[-1]"#, says: "found -1, expected sizes"),
    .tensor(#""name":"x","datatype":"INT8","shape":[1.5]"#, says: "found 1.5, expected sizes"),
    .tensor(#""name":"x","datatype":"INT8","shape":["1"]"#, says: "found a string, expected sizes"),
    .tensor(
        #""name":"x","datatype":"INT8","shape":[9223372036854775807,2]"#, says: "'shape': it has too many elements"),
    .tensor(named, says: "there is no 'data'"),
    .tensor(named + #","data":7"#, says: "'data': found a number"),
    .tensor(named + #","parameters":{"binary_data_size":-1}"#, [1, 2], says: "'binary_data_size': found -1"),
    .tensor(named + #","parameters":{"binary_data_size":2.5}"#, [1, 2], says: "found 2.5"),
    .tensor(named + #","parameters":{"binary_data_size":"2"}"#, [1, 2], says: "found '2'"),
    .tensor(
        named + #","parameters":{"binary_data_size":9223372036854775807}"#, [1, 2], says: "there are 2 bytes left"),
    .tensor(named + #","parameters":{"binary_data_size":3}"#, [1, 2], says: "found 3, there are 2 bytes left"),
    .tensor(named + #","parameters":{"binary_data_size":2}"#, says: "there are 0 bytes left"),
    .tensor(named + #","parameters":{"binary_data_size":1}"#, [1, 2], says: "1 bytes are left behind"),
    .tensor(named + #","data":[1,2],"parameters":{"binary_data_size":2}"#, [1, 2], says: "stands beside"),
    .tensor(named + #","data":[1,2],"parameters":{"shared_memory_region":"r"}"#, says: "'shared_memory_region' is not"),
]

/// A tensor that is well-formed but not what is asked for.
private let misfits: [(Inference, String)] = [
    (.input("x", "FP32", [1], data: "[1.0]"), "'x.datatype': found 'FP32', expected INT32"),
    (.input("x", "BYTES", [1], data: #"["1"]"#), "'x.datatype': found 'BYTES'"),
    (.input("x", "INT32", [3], data: "[1,2]"), "'x.data': found 2 elements, expected 3"),
    (.input("x", "INT32", [1], data: "[1,2]"), "'x.data': found 2 elements, expected 1"),
    (.input("x", "INT32", [], data: "[1,2]"), "'x.data': found 2 elements, expected 1"),
    (.input("x", "INT32", [2], data: "[1,2.5]"), "'x.data[1]': found 2.5, expected an integer"),
    (.input("x", "INT32", [2], data: "[1,18446744073709551615]"), "'x.data[1]': found"),
    (.input("x", "INT32", [2], data: #"[1,"2"]"#), "'x.data[1]': found a string"),
    (.input("x", "INT8", [2], data: "[127,128]"), "'x.data[1]': found 128, expected an integer that INT8 holds"),
    (.input("x", "INT8", [2], data: "[-128,-129]"), "'x.data[1]': found -129"),
    (.input("x", "UINT8", [2], data: "[255,256]"), "'x.data[1]': found 256, expected an integer that UINT8 holds"),
    (.input("x", "UINT8", [2], data: "[0,-1]"), "'x.data[1]': found -1"),
    (.input("x", "INT16", [2], data: "[32767,32768]"), "'x.data[1]': found 32768"),
    (.input("x", "UINT32", [2], data: "[4294967295,4294967296]"), "'x.data[1]': found 4294967296"),
    (.input("x", "INT64", [2], data: "[9223372036854775807,9223372036854775808]"), "'x.data[1]': found"),
    (.input("x", "UINT64", [2], data: "[18446744073709551615,-1]"), "'x.data[1]': found -1"),
    (.input("x", "UINT64", [1], data: "[1e20]"), "'x.data[0]': found"),
    (.input("x", "INT32", [2, 2], data: "[[1,2],[3]]"), "'x.data[1]': found an array, expected a flat list or lists"),
    (.input("x", "INT32", [2, 2], data: "[[1,2],3]"), "'x.data[1]': found a number"),
    (.input("x", "INT32", [2, 2], data: "[1,2,[3],4]"), "'x.data[2]': found an array"),
    (.input("x", "INT32", [2, 2], data: "[[1,2]]"), "'x.data': found 2 elements, expected 4"),
    (.input("x", "INT32", [2], data: "[[1,2]]"), "'x.data[0]': found an array"),
    (.input("x", "INT32", [2, 1, 1], data: "[[[1]],[[2]]]"), "'x.data[0]': found an array"),
    (.input("x", "INT32", [2], binary: [1, 0, 0, 0]), "'x.binary_data_size': found 4 bytes, expected 4 for each"),
    (.input("x", "INT32", [1], binary: [1, 0, 0]), "'x.binary_data_size': found 3 bytes"),
    (.input("x", "INT64", [1 << 60], binary: []), "'x.binary_data_size': found 0 bytes, expected 8 for each"),
]

private let badPictures: [(Inference, String)] = [
    (.input("x", "UINT8", [1], data: "[1]"), "'x.datatype': found 'UINT8', expected BYTES"),
    (.input("x", "BYTES", [1], data: "[1]"), "'x.data[0]': found a number, expected a string"),
    (.input("x", "BYTES", [2], data: #"["a"]"#), "'x.data': found 1 elements, expected 2"),
    (.input("x", "BYTES", [1], binary: []), "'x.data[0]': 0 bytes are left, expected a length"),
    (.input("x", "BYTES", [1], binary: [1, 0, 0]), "'x.data[0]': 3 bytes are left"),
    (.input("x", "BYTES", [1], binary: [2, 0, 0, 0, 7]), "'x.data[0]': its length is 2, 1 bytes are left"),
    (.input("x", "BYTES", [1], binary: [255, 255, 255, 255, 7]), "its length is 4294967295, 1 bytes are left"),
    (.input("x", "BYTES", [2], binary: element([7])), "'x.data[1]': 0 bytes are left"),
    (.input("x", "BYTES", [1], binary: element([7]) + [0]), "1 bytes are left behind the last element"),
    (.input("x", "BYTES", [0], binary: [0]), "1 bytes are left behind the last element"),
    (.input("x", "BYTES", [1 << 62], binary: element([7])), "'x.data[1]': 0 bytes are left"),
]

@Suite struct KServeTensorTests {
    private func read(_ body: Inference, length: Int? = nil) throws -> InferenceRequest {
        try InferenceRequest(body.body, jsonLength: length ?? body.binary.map { _ in body.json.utf8.count })
    }

    private func tensor(_ body: Inference) throws -> InferenceTensor {
        try #require(try read(body).inputs.first)
    }

    @Test(arguments: malformed) func isRefused(row: MalformedInference) throws {
        let error = try #require(throws: ServiceError.self) { try read(row.body, length: row.length) }
        #expect(error.status == 400)
        #expect(error.message.contains(row.says), "\(error.message)")
    }

    @Test(arguments: misfits) func integersAreRefused(body: Inference, says: String) throws {
        let tensor = try tensor(body)
        let error = try #require(throws: ServiceError.self) { try tensor.integers() }
        #expect(error.status == 400)
        #expect(error.message.contains(says), "\(error.message)")
    }

    @Test(arguments: badPictures) func picturesAreRefused(body: Inference, says: String) throws {
        let tensor = try tensor(body)
        let error = try #require(throws: ServiceError.self) { try tensor.images() }
        #expect(error.status == 400)
        #expect(error.message.contains(says), "\(error.message)")
    }

    @Test(arguments: [
        ("INT8", 1, -2), ("UINT8", 1, 254), ("INT16", 2, -300), ("UINT16", 2, 65_000), ("INT32", 4, -70_000),
        ("UINT32", 4, 4_000_000_000), ("INT64", 8, -5_000_000_000), ("UINT64", 8, 5_000_000_000),
    ])
    func integersOfEveryType(type: String, width: Int, number: Int) throws {
        let values = [number, 0, 1, 127]
        let expected = values.map { Int64($0) }
        let binary = littleEndian(values, width: width)
        for shape in [[4], [2, 2], [4, 1], [1, 4]] {
            #expect(try tensor(.input("x", type, shape, binary: binary)).integers() == expected)
            #expect(try tensor(.input("x", type, shape, data: "\(values)")).integers() == expected)
        }
        let rows = "[[\(number),0],[1,127]]"
        #expect(try tensor(.input("x", type, [2, 2], data: rows)).integers() == expected)
    }

    @Test func inputsTakeTheirBytesInOrder() throws {
        let json = #"""
            {"id":"a","extra":1,"inputs":[
            {"name":"x","datatype":"INT16","shape":[1],"parameters":{"binary_data_size":2}},
            {"name":"y","datatype":"INT8","shape":[1],"data":[9]},
            {"name":"z","datatype":"INT8","shape":[0],"parameters":{"binary_data_size":0}},
            {"name":"w","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":11}}]}
            """#
        let request = try read(Inference(json, [1, 2] + element([7, 8, 9]) + element([])))
        #expect(request.id == "a")
        #expect(request.inputs.map(\.name) == ["x", "y", "z", "w"])
        #expect(try request.inputs[0].integers() == [513])
        #expect(try request.inputs[1].integers() == [9])
        #expect(try request.inputs[2].integers() == [])
        let pictures = try request.inputs[3].images()
        #expect(pictures.count == 2 && pictures.name == "w")
        #expect(try pictures.bytes(0, ServiceLimits()) == [7, 8, 9])
        #expect(try pictures.bytes(1, ServiceLimits()) == [])
    }

    /// Every body that is a good one changed a little ends in a value or in a refusal of the client.
    @Test func mutationsNeverEndOtherwise() throws {
        let seeds: [Inference] = [
            .input("image", "BYTES", [2, 1], binary: element([1, 2, 3]) + element([4])),
            .input("tokens", "INT32", [1, 4], binary: littleEndian([1, 2, 3, 4], width: 4)),
            .input("tokens", "UINT64", [2, 2], data: "[[1,2],[3,4]]", #","outputs":[{"name":"image"}]"#),
        ]
        var random = Random(state: 1)
        var refused = 0
        for round in 0..<6000 {
            let seed = seeds[round % seeds.count]
            var bytes = seed.body
            var length = seed.json.utf8.count
            for _ in 0...random.next(3) { Self.mutate(&bytes, &length, &random) }
            do throws(ServiceError) {
                let request = try InferenceRequest(bytes, jsonLength: length)
                for input in request.inputs {
                    let integers = try? input.integers()
                    let pictures = try? input.images()
                    #expect(integers == nil || integers?.count == input.count)
                    #expect(pictures == nil || pictures?.count == input.count)
                }
            } catch {
                refused += 1
                #expect(error.status == 400)
            }
        }
        #expect(refused > 1000 && refused < 6000)
    }

    private static func mutate(_ bytes: inout [UInt8], _ length: inout Int, _ random: inout Random) {
        let digits = Array("0123456789-.eE[]{},\":".utf8)
        let position = random.next(max(1, bytes.count))
        switch random.next(6) {
        case 0 where !bytes.isEmpty: bytes[position] = UInt8(random.next(256))
        case 1 where !bytes.isEmpty: bytes[position] = digits[random.next(digits.count)]
        case 2 where !bytes.isEmpty: bytes.remove(at: position)
        case 3: bytes.insert(digits[random.next(digits.count)], at: min(position, bytes.count))
        case 4: length += random.next(9) - 4
        default: bytes.removeLast(min(bytes.count, random.next(4)))
        }
    }

    /// A linear congruential generator (Knuth, MMIX).
    private struct Random {
        var state: UInt64

        mutating func next(_ bound: Int) -> Int {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return Int(state >> 33) % bound
        }
    }
}
