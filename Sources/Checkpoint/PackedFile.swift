import Crypto
import JSON

/// Layers' bytes by name, in the form that they are computed with, mapped into memory that processes share.
///
/// The file begins with 64 bytes that name the format and its version. The parts of all layers follow, each from a
/// multiple of 64 bytes on, or of 4,096 where it is as long as that; then the index, which is JSON; then 44 bytes: a
/// mark, where the index begins, its length, and a checksum over index and what is before the checksum. Numbers are
/// little-endian. What is between parts is zero.
///
/// Opening reads the beginning and the index alone: that the parts are unharmed is told by `verify`, which reads all.
public final class PackedFile: Sendable {
    public struct Layer: Sendable, Equatable {
        public let layout: String
        /// Bytes of the file.
        public let parts: [Range<Int>]
    }

    public let path: String
    public let layers: [String: Layer]
    /// What the writer said of the whole.
    public let facts: JSONValue
    /// SHA-256 of all before the index, hexadecimal.
    private let digest: String
    private let index: Range<Int>
    private let mapping: MappedFile

    /// - Throws: `unreadable`, `notAFile`, `empty`, or `packed` with what is wrong.
    public init(path: String) throws(CheckpointError) {
        self.path = path
        mapping = try MappedFile(path: path)
        do throws(PackedDefect) {
            let reader = PackedReader(bytes: mapping.bytes)
            index = try reader.indexRange()
            (facts, digest, layers) = try reader.read(index)
        } catch {
            throw .packed(path: path, error)
        }
    }

    /// Valid while this file lives.
    ///
    /// - Parameter part: of one of the layers.
    public func bytes(of part: Range<Int>) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(rebasing: mapping.bytes[part])
    }

    /// Bytes of the file.
    public var size: Int { mapping.bytes.count }

    /// Reads all of the file.
    ///
    /// - Throws: `packed` where it isn't what was written.
    public func verify() throws(CheckpointError) {
        var hash = SHA256()
        hash.update(bufferPointer: UnsafeRawBufferPointer(rebasing: mapping.bytes[..<index.lowerBound]))
        guard PackedWriter.text(hash.finalize()) == digest else { throw .packed(path: path, .contents) }
    }
}

/// What is wrong with a file of packed weights.
public enum PackedDefect: Error, Sendable, Equatable, CustomStringConvertible {
    /// It begins with something else.
    case beginning
    /// Of another version of this format.
    case version(found: String)
    /// There is no index where one should end.
    case end
    /// The index isn't what was written.
    case checksum
    case index(String)
    /// The layers aren't what was written.
    case contents

    public var description: String {
        switch self {
        case .beginning: "does not begin as a file of packed weights does"
        case .version(let found): "is of version '\(found)', expected \(PackedWriter.version)"
        case .end: "does not end with an index: it was cut short or damaged"
        case .checksum: "its index is damaged: the checksum differs"
        case .index(let reason): "its index makes no sense: \(reason)"
        case .contents: "is damaged: the SHA-256 of its layers differs from what was written"
        }
    }
}

private struct PackedReader {
    let bytes: UnsafeRawBufferPointer

    func indexRange() throws(PackedDefect) -> Range<Int> {
        let title = PackedWriter.title
        guard let beginning = bytes.part(0, title.count), beginning.starts(with: PackedWriter.name.utf8) else {
            throw .beginning
        }
        guard beginning.elementsEqual(title) else {
            let found = beginning.dropFirst(PackedWriter.name.utf8.count).prefix { $0 > 32 && $0 < 127 }
            throw .version(found: String(decoding: found, as: UTF8.self))
        }
        let ending = bytes.count - PackedWriter.endingCount
        guard let mark = bytes.part(ending, PackedWriter.mark.utf8.count), mark.elementsEqual(PackedWriter.mark.utf8),
            let start = bytes.littleEndian(UInt64.self, at: ending + 24).flatMap({ Int(exactly: $0) }),
            let length = bytes.littleEndian(UInt64.self, at: ending + 32).flatMap({ Int(exactly: $0) }),
            start >= title.count, start <= ending, length == ending - start
        else { throw .end }
        guard let summed = bytes.part(start, length + 40),
            CRC32.checksum(summed) == bytes.littleEndian(UInt32.self, at: ending + 40)
        else { throw .checksum }
        return start..<ending
    }

    func read(
        _ index: Range<Int>
    ) throws(PackedDefect) -> (facts: JSONValue, digest: String, layers: [String: PackedFile.Layer]) {
        let text = UnsafeRawBufferPointer(rebasing: bytes[index])
        let value: JSONValue
        do {
            value = try JSONValue.parse(text.assumingMemoryBound(to: UInt8.self), maxDepth: 8, maxValues: 4 << 20)
        } catch {
            throw .index(error.description)
        }
        guard let digest = value["sha256"]?.stringValue, let facts = value["facts"],
            let entries = value["layers"]?.arrayValue
        else { throw .index("expected 'sha256', 'facts' and 'layers'") }
        var layers: [String: PackedFile.Layer] = [:]
        for entry in entries {
            guard let name = entry["name"]?.stringValue, let layout = entry["layout"]?.stringValue else {
                throw .index("expected a layer's 'name' and 'layout'")
            }
            let layer = PackedFile.Layer(layout: layout, parts: try parts(entry, of: name, before: index.lowerBound))
            guard layers.updateValue(layer, forKey: name) == nil else { throw .index("'\(name)' is there twice") }
        }
        return (facts, digest, layers)
    }

    private func parts(_ entry: JSONValue, of name: String, before end: Int) throws(PackedDefect) -> [Range<Int>] {
        let numbers = entry["parts"]?.arrayValue?.compactMap(\.intValue) ?? []
        guard !numbers.isEmpty, numbers.count.isMultiple(of: 2), numbers.count == entry["parts"]?.arrayValue?.count
        else { throw .index("'\(name)': expected 'parts', each an offset and a length") }
        var parts: [Range<Int>] = []
        for at in stride(from: 0, to: numbers.count, by: 2) {
            let (start, length) = (numbers[at], numbers[at + 1])
            guard start.isMultiple(of: PackedWriter.alignment), start >= PackedWriter.title.count, length >= 0,
                start <= end, end - start >= length
            else {
                throw .index("'\(name)': \(length) bytes from \(start) on aren't between its beginning and its index")
            }
            parts.append(start..<start + length)
        }
        return parts
    }
}
