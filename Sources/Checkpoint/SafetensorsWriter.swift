import JSON

/// Writes safetensors files (github.com/huggingface/safetensors, "Format"), byte for byte as the reference does.
///
/// The reference's order: int64 before float32 before int32, so that all are aligned, then by name; the header is
/// padded with spaces so that the data begins at a multiple of 8 bytes. Metadata is sorted by key. Hence the same
/// tensors give the same bytes in whatever order they come.
public enum SafetensorsWriter {
    /// - Precondition: names are unique, and none is `__metadata__`.
    public static func write(
        _ tensors: [NewTensor], metadata: [String: String] = [:], to path: String
    ) throws(FileWriteError) {
        let sorted = tensors.sorted { left, right in
            let ranks = (rank(left.values), rank(right.values))
            return ranks.0 != ranks.1 ? ranks.0 > ranks.1 : precedes(left.name, right.name)
        }
        let header = header(sorted, metadata)
        try AtomicFile.write(path) { (sink) throws(FileWriteError) in
            try sink.write(header)
            for tensor in sorted {
                try tensor.values.withBytes { (bytes) throws(FileWriteError) in try sink.write(bytes) }
            }
        }
    }

    /// The header's length, the header and its padding.
    private static func header(_ tensors: [NewTensor], _ metadata: [String: String]) -> [UInt8] {
        var header = JSONObject()
        if !metadata.isEmpty {
            let members = metadata.sorted { precedes($0.key, $1.key) }
            header["__metadata__"] = .object(JSONObject(members.map { ($0.key, .string($0.value)) }))
        }
        var start = 0
        for tensor in tensors {
            precondition(
                tensor.name != "__metadata__" && header[tensor.name] == nil, "tensor '\(tensor.name)' is there twice")
            let end = start + tensor.values.byteCount
            header[tensor.name] = [
                "dtype": .string(dtype(tensor.values)), "shape": JSONValue(tensor.shape),
                "data_offsets": JSONValue([start, end]),
            ]
            start = end
        }
        var text = JSONValue.object(header).write()
        while !text.count.isMultiple(of: 8) { text.append(UInt8(ascii: " ")) }
        var bytes: [UInt8] = []
        bytes.append(littleEndian: UInt64(text.count))
        return bytes + text
    }

    private static func dtype(_ values: NewTensor.Values) -> String {
        switch values {
        case .float32: "F32"
        case .int32: "I32"
        case .int64: "I64"
        }
    }

    private static func rank(_ values: NewTensor.Values) -> Int {
        switch values {
        case .int64: 2
        case .float32: 1
        case .int32: 0
        }
    }

    private static func precedes(_ left: String, _ right: String) -> Bool {
        left.utf8.lexicographicallyPrecedes(right.utf8)
    }
}
