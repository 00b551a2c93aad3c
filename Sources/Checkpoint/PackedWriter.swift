import Crypto
import JSON

/// Writes what `PackedFile` reads.
public enum PackedWriter {
    /// To be raised where this format changes, or what a layer with the same layout means by its bytes.
    static let version = 1
    static let name = "tessera packed weights "
    static let mark = "tessera packed index\n"
    static let alignment = 64
    /// The mark, filled with zeros to 24 bytes, two numbers of 8 bytes and one of 4.
    static let endingCount = 44

    private static let page = 4096

    static var title: [UInt8] {
        let text = Array("\(name)\(version)\n".utf8)
        return text + [UInt8](repeating: 0, count: alignment - text.count)
    }

    /// A layer's bytes, which must stay as they are until they are written.
    public struct Layer {
        public let name: String
        public let layout: String
        public let parts: [UnsafeRawBufferPointer]

        public init(name: String, layout: String, parts: [UnsafeRawBufferPointer]) {
            self.name = name
            self.layout = layout
            self.parts = parts
        }
    }

    /// Replaces or creates the file whole, or leaves what was there: see `AtomicFile`.
    ///
    /// - Parameter access: who may read it, as of `AtomicFile.write`.
    /// - Returns: its size in bytes.
    /// - Precondition: no two layers have the same name, and each has a part.
    @discardableResult
    public static func write(
        _ path: String, facts: JSONValue, layers: [Layer], access: FileAccess = .unlimited
    ) throws(FileWriteError) -> Int {
        precondition(Set(layers.map(\.name)).count == layers.count && layers.allSatisfy { !$0.parts.isEmpty })
        var size = 0
        try AtomicFile.write(path, access: access) { (sink) throws(FileWriteError) in
            var hash = SHA256()
            try write(title, to: &sink, &hash)
            var entries: [JSONValue] = []
            for layer in layers {
                var places: [Int] = []
                for part in layer.parts {
                    try align(for: part.count, &sink, &hash)
                    places += [sink.position, part.count]
                    hash.update(bufferPointer: part)
                    try sink.write(part)
                }
                entries.append([
                    "name": .string(layer.name), "layout": .string(layer.layout), "parts": JSONValue(places),
                ])
            }
            let index: JSONValue = [
                "facts": facts, "sha256": .string(text(hash.finalize())), "layers": .array(entries),
            ]
            try sink.write(finished(index.write(), from: sink.position))
            size = sink.position
        }
        return size
    }

    private static func write(
        _ bytes: [UInt8], to sink: inout FileSink, _ hash: inout SHA256
    ) throws(FileWriteError) {
        bytes.withUnsafeBytes { hash.update(bufferPointer: $0) }
        try sink.write(bytes)
    }

    private static func align(
        for count: Int, _ sink: inout FileSink, _ hash: inout SHA256
    ) throws(FileWriteError) {
        let step = count >= page ? page : alignment
        let gap = (step - sink.position % step) % step
        try write([UInt8](repeating: 0, count: gap), to: &sink, &hash)
    }

    /// The index and the ending.
    static func finished(_ index: [UInt8], from start: Int) -> [UInt8] {
        var bytes = index
        bytes += mark.utf8
        bytes += [UInt8](repeating: 0, count: 24 - mark.utf8.count)
        bytes.append(littleEndian: UInt64(start))
        bytes.append(littleEndian: UInt64(index.count))
        bytes.append(littleEndian: bytes.withUnsafeBytes { CRC32.checksum($0) })
        return bytes
    }

    static func text(_ digest: SHA256.Digest) -> String {
        digest.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
