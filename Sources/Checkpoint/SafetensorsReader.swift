import JSON

/// Reads the header of a safetensors file (github.com/huggingface/safetensors, "Format").
///
/// Layout: header length N (8 bytes, little-endian), N bytes of JSON, then the tensors without gaps in any order.
struct SafetensorsReader {
    static let headerLimit = 100_000_000

    let bytes: UnsafeRawBufferPointer
    let path: String

    /// Whether the file begins as a safetensors file does: a length, then `{`.
    static func recognises(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count > 8 && bytes[8] == UInt8(ascii: "{")
    }

    /// The tensors, and the strings of `__metadata__`.
    func read() throws(CheckpointError) -> (tensors: [String: StoredTensor], metadata: [String: String]) {
        let header = try readHeader()
        let dataStart = bytes.count - header.dataLength
        var entries: [(tensor: StoredTensor, range: Range<Int>)] = []
        for member in header.object.members where member.name != "__metadata__" {
            let (info, range) = try parse(member.name, member.value)
            guard let start = shifted(range.lowerBound, by: dataStart),
                let end = shifted(range.upperBound, by: dataStart)
            else { throw defect(.end(found: range.upperBound, expected: header.dataLength)) }
            let tensor = StoredTensor(
                info: info, strides: TensorSource.contiguousStrides(info.shape), offset: 0, place: .bytes(start..<end))
            entries.append((tensor, range))
        }
        entries.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
        var end = 0
        for (tensor, range) in entries {
            guard range.lowerBound == end else {
                throw defect(.start(tensor: tensor.info.name, found: range.lowerBound, expected: end))
            }
            end = range.upperBound
        }
        guard end == header.dataLength else { throw defect(.end(found: end, expected: header.dataLength)) }
        return (
            Dictionary(uniqueKeysWithValues: entries.map { ($0.tensor.info.name, $0.tensor) }),
            header.metadata
        )
    }

    private func shifted(_ offset: Int, by start: Int) -> Int? {
        let (sum, overflow) = offset.addingReportingOverflow(start)
        return overflow || sum > bytes.count ? nil : sum
    }

    private func readHeader() throws(CheckpointError) -> (
        object: JSONObject, metadata: [String: String], dataLength: Int
    ) {
        let limit = min(Self.headerLimit, max(0, bytes.count - 8))
        let claimed = bytes.littleEndian(UInt64.self, at: 0) ?? .max
        guard let length = Int(exactly: claimed), length <= limit, let text = bytes.part(8, length) else {
            throw defect(.headerLength(found: claimed, limit: limit))
        }
        let value: JSONValue
        do {
            value = try JSONValue.parse(text.assumingMemoryBound(to: UInt8.self), maxDepth: 8, maxValues: 4 << 20)
        } catch {
            throw defect(.headerText(error.description))
        }
        guard let object = value.objectValue else {
            throw defect(.headerText("expected an object, found \(value.kind)"))
        }
        return (object, try metadata(object["__metadata__"] ?? [:]), bytes.count - 8 - length)
    }

    private func metadata(_ value: JSONValue) throws(CheckpointError) -> [String: String] {
        let pairs = value.objectValue?.members.map { ($0.name, $0.value.stringValue) }
        let metadata = pairs.map { Dictionary(uniqueKeysWithValues: $0).compactMapValues { $0 } }
        guard let pairs, let metadata, metadata.count == pairs.count else {
            throw defect(.field(tensor: "__metadata__", expected: "an object of strings"))
        }
        return metadata
    }

    private func parse(_ name: String, _ entry: JSONValue) throws(CheckpointError) -> (TensorInfo, Range<Int>) {
        guard let dtype = entry["dtype"]?.stringValue else {
            throw defect(.field(tensor: name, expected: "a string 'dtype'"))
        }
        guard let dimensions = entry["shape"]?.arrayValue, dimensions.count <= StoredTensor.maxRank else {
            throw defect(.field(tensor: name, expected: "an array 'shape' of at most \(StoredTensor.maxRank) numbers"))
        }
        let shape = dimensions.compactMap(\.intValue).filter { $0 >= 0 }
        guard shape.count == dimensions.count else {
            throw defect(.field(tensor: name, expected: "whole numbers from 0 in 'shape'"))
        }
        let offsets = entry["data_offsets"]?.arrayValue?.compactMap(\.intValue) ?? []
        guard offsets.count == 2, entry["data_offsets"]?.arrayValue?.count == 2, 0 <= offsets[0],
            offsets[0] <= offsets[1]
        else {
            throw defect(.field(tensor: name, expected: "'data_offsets' of two whole numbers in order"))
        }
        let info = TensorInfo(name: name, shape: shape, type: ElementType(safetensors: dtype))
        let range = offsets[0]..<offsets[1]
        guard let elements = StoredTensor.checkedProduct(shape) else {
            throw defect(.size(tensor: name, found: range.count, expected: "more than 2^63"))
        }
        if let size = info.type.size {
            let (expected, overflow) = elements.multipliedReportingOverflow(by: size)
            guard !overflow, expected == range.count else {
                throw defect(
                    .size(tensor: name, found: range.count, expected: overflow ? "more than 2^63" : "\(expected)"))
            }
        }
        return (info, range)
    }

    private func defect(_ defect: SafetensorsDefect) -> CheckpointError { .safetensors(path: path, defect) }
}
