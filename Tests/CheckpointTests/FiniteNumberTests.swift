import CheckpointBuilders
import Testing

@testable import Checkpoint

@Suite struct FiniteNumberTests {
    private static let single: Float = 0x1.fffffep127

    @Test(
        arguments: [
            ("F32", floatBytes([1, 2, .nan, 4, .infinity, 6]), [0, 2], "nan"),
            ("F32", floatBytes([1, 2, 3, 4, 5, -.infinity]), [1, 2], "-inf"),
            ("F32", floatBytes([Float(bitPattern: 0x7F80_0001), 2, 3, 4, 5, 6]), [0, 0], "snan(0x1)"),
            ("F16", littleEndian([0x7BFF, 0x0001, 0x8000, 0x7C00, 0, 0] as [UInt16]), [1, 0], "inf"),
            ("BF16", littleEndian([0x7F7F, 0x0001, 0x8000, 0, 0xFFC0, 0] as [UInt16]), [1, 1], "-nan"),
            ("F64", littleEndian([0, 1e300, 0, 0, 0, 0].map { (n: Double) in n.bitPattern }), [0, 1], "inf"),
        ] as [(String, [UInt8], [Int], String)])
    func theFirstIsNamed(type: String, data: [UInt8], place: [Int], found: String) throws {
        let header = #"{"w":{"dtype":"\#(type)","shape":[2,3],"data_offsets":[0,\#(data.count)]}}"#
        let file = try open(safetensors(header, data: data))
        let error = try #require(#expect(throws: CheckpointError.self) { try file.finiteFloats("w") })
        #expect(error == .notFinite(path: file.path, tensor: "w", place: place, found: found))
        var values = [Float](repeating: 0, count: 6)
        #expect(throws: error) {
            try values.withUnsafeMutableBufferPointer { try file.readFiniteFloats("w", into: $0) }
        }
        #expect(
            message(error, path: file.path)
                == "tensor 'w' holds \(found) at \(place); expected finite numbers")
    }

    @Test func everyFiniteNumberIsTaken() throws {
        let values = [0, -0.0, .leastNonzeroMagnitude, Self.single, -Self.single, 1, -0x1p-126] as [Float]
        for count in 0...values.count {
            let header = #"{"w":{"dtype":"F32","shape":[\#(count)],"data_offsets":[0,\#(count * 4)]}}"#
            let file = try open(safetensors(header, data: floatBytes(Array(values[..<count]))))
            #expect(try file.finiteFloats("w") == Array(values[..<count]))
        }
    }
}
