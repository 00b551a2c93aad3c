import CZlib

/// What a PNG's chunks say under one keyword (PNG, third edition, 11.3.3). Compressed text is inflated only when it is
/// asked for.
struct PNGText {
    /// Bytes of one compressed text: Pillow's MAX_TEXT_CHUNK.
    static let limit = 1 << 20
    /// Bytes of all compressed texts of a file: Pillow's MAX_TEXT_MEMORY.
    static let budget = 64 << 20
    /// Bytes that a text counts at least, for the time that it takes to begin with one.
    private static let least = 4096

    /// Whether iTXt counts only if it is UTF-8.
    let mustBeUnicode: Bool
    /// The last entry counts; if it is iTXt that can't be read, the one before it.
    private var entries: [Entry] = []

    private struct Entry {
        var bytes: UnsafeRawBufferPointer
        var isDeflated = false
        var isInternational = false
    }

    init(mustBeUnicode: Bool) { self.mustBeUnicode = mustBeUnicode }

    mutating func replace(with text: UnsafeRawBufferPointer) { entries = [Entry(bytes: text)] }

    mutating func replace(withDeflated text: UnsafeRawBufferPointer) {
        entries = [Entry(bytes: text, isDeflated: true)]
    }

    mutating func take(_ text: InternationalText) {
        if mustBeUnicode && !text.isUnicode { return }
        if text.isDeflated {
            entries.append(Entry(bytes: text.text, isDeflated: true, isInternational: true))
        } else if !mustBeUnicode || isUTF8(text.text) {
            replace(with: text.text)
        }
    }

    /// Calls `body` with the text that counts, at most `limit` bytes of it if it is compressed.
    ///
    /// - Parameter budget: bytes that may still be inflated.
    /// - Returns: `nil` if there is no text, or only such that can't be read.
    func withText<R>(_ budget: inout Int, _ body: (UnsafeRawBufferPointer) -> R) -> R? {
        for entry in entries.reversed() {
            guard entry.isDeflated else { return body(entry.bytes) }
            guard budget > 0 else { return nil }
            let text = inflated(entry.bytes, limit: Self.limit)
            budget -= max(text?.count ?? Self.limit, Self.least)
            // Pillow takes zTXt that can't be inflated as an empty text.
            guard entry.isInternational else { return (text ?? []).withUnsafeBytes(body) }
            guard let text, !mustBeUnicode || text.withUnsafeBytes(isUTF8) else { continue }
            return text.withUnsafeBytes(body)
        }
        return nil
    }
}

/// The content of an iTXt chunk. `nil` if it is cut, or compressed by an unknown method.
struct InternationalText {
    var keyword: UnsafeRawBufferPointer
    var isDeflated: Bool
    /// Whether the language and the translated keyword are UTF-8.
    var isUnicode: Bool
    var text: UnsafeRawBufferPointer

    init?(_ content: UnsafeRawBufferPointer) {
        guard let end = content.firstIndex(of: 0), content.count - end > 2 else { return nil }
        let (flag, method) = (content[end + 1], content[end + 2])
        let names = content[(end + 3)...]
        guard flag == 0 || method == 0, let language = names.firstIndex(of: 0),
            let translation = names[(language + 1)...].firstIndex(of: 0)
        else { return nil }
        keyword = UnsafeRawBufferPointer(rebasing: content[..<end])
        isDeflated = flag != 0
        // A zero between them is UTF-8 too.
        isUnicode = isUTF8(UnsafeRawBufferPointer(rebasing: names[..<translation]))
        text = UnsafeRawBufferPointer(rebasing: names[(translation + 1)...])
    }
}

private func isUTF8(_ bytes: UnsafeRawBufferPointer) -> Bool {
    String(validating: bytes, as: UTF8.self) != nil
}

/// Inflates a zlib stream (RFC 1950) as Pillow does: one that is cut gives what is there.
///
/// - Returns: `nil` if the stream is damaged or holds more than `limit` bytes.
private func inflated(_ stream: UnsafeRawBufferPointer, limit: Int) -> [UInt8]? {
    var state = z_stream()
    guard inflateInit_(&state, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else { return nil }
    defer { inflateEnd(&state) }
    var isReadable = false
    let text = [UInt8](unsafeUninitializedCapacity: limit) { out, count in
        state.next_in = UnsafeMutablePointer(mutating: stream.bindMemory(to: UInt8.self).baseAddress)
        state.avail_in = UInt32(clamping: stream.count)
        state.next_out = out.baseAddress
        state.avail_out = UInt32(clamping: limit)
        let status = inflate(&state, Z_SYNC_FLUSH)
        // Z_OK and Z_BUF_ERROR: the input or the room is used up.
        isReadable = status == Z_STREAM_END || ([Z_OK, Z_BUF_ERROR].contains(status) && state.avail_in == 0)
        count = isReadable ? limit - Int(state.avail_out) : 0
    }
    return isReadable ? text : nil
}
