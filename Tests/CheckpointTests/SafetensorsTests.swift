import CheckpointBuilders
import Foundation
import Testing

@testable import Checkpoint

private let data = floatBytes([1, 2, 3, 4])
private let pair =
    #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},"b":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}"#

private func single(_ dtype: String, _ shape: String, _ offsets: String) -> String {
    #"{"a":{"dtype":"\#(dtype)","shape":\#(shape),"data_offsets":\#(offsets)}}"#
}

@Suite struct SafetensorsTests {
    @Test func readsTensorsInAnyOrderAndAtAnyAlignment() throws {
        for padding in 0..<5 {
            let file = try open(safetensors(pair + String(repeating: " ", count: padding), data: data))
            #expect(file.tensors["b"] == TensorInfo(name: "b", shape: [1, 2], type: .float32))
            #expect(try file.floats("a") == [3, 4] && file.floats("b") == [1, 2])
        }
        #expect(try open(safetensors("{}")).tensors.isEmpty)
        #expect(try open(safetensors(#"{"__metadata__":{"format":"pt"}}"#)).tensors.isEmpty)
        #expect(try open(safetensors(single("F32", "[]", "[0,4]"), data: Array(data[..<4]))).floats("a") == [1])
    }

    static let refusals: [([UInt8], String)] = [
        (safetensors(pair, data: data, length: 1000), "header of 1000 bytes; expected at most 126"),
        (safetensors(pair, data: data, length: .max), "header of 18446744073709551615 bytes; expected at most"),
        (safetensors("{\"a\":1", data: []), "header: at byte 6: expected ',' or '}'"),
        (safetensors("{\"a\":{},\"a\":{}}"), "header: at byte 8: the name \"a\" is repeated"),
        (safetensors("{}x"), "header: at byte 2: expected the end of the text"),
        (safetensors(#"{"__metadata__":{"n":1}}"#), "'__metadata__': expected an object of strings"),
        (safetensors(#"{"a":{"shape":[],"data_offsets":[0,0]}}"#), "'a': expected a string 'dtype'"),
        (safetensors(single("F32", "2", "[0,8]"), data: data), "'a': expected an array 'shape'"),
        (safetensors(single("F32", "[-2]", "[0,8]"), data: data), "'a': expected whole numbers from 0 in 'shape'"),
        (safetensors(single("F32", "[1.5]", "[0,8]"), data: data), "'a': expected whole numbers from 0 in 'shape'"),
        (safetensors(single("F32", "[4]", "[0]"), data: data), "'data_offsets' of two whole numbers in order"),
        (safetensors(single("F32", "[4]", "[16,0]"), data: data), "'data_offsets' of two whole numbers in order"),
        (safetensors(single("F32", "[4]", "[-16,0]"), data: data), "'data_offsets' of two whole numbers in order"),
        (safetensors(single("F32", "[5]", "[0,16]"), data: data), "tensor 'a' has 16 bytes; shape and dtype need 20"),
        (safetensors(single("F16", "[4]", "[0,16]"), data: data), "tensor 'a' has 16 bytes; shape and dtype need 8"),
        (safetensors(single("F32", "[9223372036854775807,2]", "[0,16]"), data: data), "need more than 2^63"),
        (safetensors(single("F32", "[4611686018427387904]", "[0,16]"), data: data), "need more than 2^63"),
        (safetensors(single("F32", "[3]", "[4,16]"), data: data), "'a' begins at byte 4 of the data; expected 0"),
        (
            safetensors(single("F32", "[3]", "[0,12]"), data: data),
            "tensors end at byte 12 of the data; the file has 16"
        ),
        (
            safetensors(single("F32", "[5]", "[0,20]"), data: data),
            "tensors end at byte 20 of the data; the file has 16"
        ),
        (safetensors(pair.replacing("8,16", with: "4,12"), data: data), "'a' begins at byte 4 of the data; expected 8"),
        (safetensors("{}", data: data), "tensors end at byte 0 of the data; the file has 16"),
    ]

    @Test(arguments: refusals)
    func refuses(bytes: [UInt8], expected: String) throws {
        let error = try #require(try openingError(bytes))
        #expect(error.hasPrefix("broken safetensors file: ") && error.contains(expected), "\(error)")
    }

    @Test func refusesAHeaderOverTheLimit() throws {
        let file = try TemporaryFile(safetensors("{", length: 100_000_002))
        let handle = try FileHandle(forWritingTo: URL(filePath: file.path))
        try handle.truncate(atOffset: 100_000_010)
        let expected = SafetensorsDefect.headerLength(found: 100_000_002, limit: 100_000_000)
        #expect(throws: CheckpointError.safetensors(path: file.path, expected)) { try CheckpointFile(path: file.path) }
    }
}
