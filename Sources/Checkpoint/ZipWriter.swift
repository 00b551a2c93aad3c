/// Writes a zip archive of stored members whose contents begin at multiples of 64 bytes, as PyTorch does
/// (`caffe2/serialize/inline_container.cc`, `getPadding`), with zip64 records where numbers need more than 32 bits
/// (PKWARE APPNOTE 6.3.10, 4.3 and 4.5.3). Times are those of an empty clock: the same members give the same bytes.
struct ZipWriter {
    private struct Entry {
        let name: String
        let checksum: UInt32
        let size: Int
        let localHeader: Int
    }

    private static let alignment = 64
    /// 1 January 1980.
    private static let date: UInt16 = 1 << 5 | 1
    private static let nameIsUTF8: UInt16 = 0x0800

    /// Sizes and offsets from here on are written with 64 bits.
    let wideFrom: Int
    private var entries: [Entry] = []

    init(wideFrom: Int = 0xFFFF_FFFF) { self.wideFrom = wideFrom }

    mutating func add(
        _ name: String, _ bytes: UnsafeRawBufferPointer, to sink: inout FileSink
    ) throws(FileWriteError) {
        let entry = Entry(
            name: name, checksum: CRC32.checksum(bytes), size: bytes.count, localHeader: sink.position)
        try sink.write(localHeader(entry))
        try sink.write(bytes)
        entries.append(entry)
    }

    mutating func add(_ name: String, _ bytes: [UInt8], to sink: inout FileSink) throws(FileWriteError) {
        try bytes.withUnsafeBufferPointer { (bytes) throws(FileWriteError) in
            try add(name, UnsafeRawBufferPointer(bytes), to: &sink)
        }
    }

    /// Writes the directory, after the last member.
    func finish(_ sink: inout FileSink) throws(FileWriteError) {
        let start = sink.position
        for entry in entries { try sink.write(directoryEntry(entry)) }
        let size = sink.position - start
        if size >= wideFrom || start >= wideFrom || entries.count >= 0xFFFF {
            try sink.write(wideEnd(start: start, size: size))
        }
        var end: [UInt8] = []
        end.append(littleEndian: UInt32(0x0605_4B50))
        end.append(littleEndian: UInt32(0))  // Both disks' numbers
        for _ in 0..<2 { end.append(littleEndian: UInt16(clamping: entries.count)) }
        end.append(littleEndian: short(size))
        end.append(littleEndian: short(start))
        end.append(littleEndian: UInt16(0))  // Length of the comment
        try sink.write(end)
    }

    private func short(_ number: Int) -> UInt32 { number >= wideFrom ? .max : UInt32(clamping: number) }

    /// The extended information: those of the numbers that don't fit.
    private func wide(_ numbers: [Int]) -> [UInt8] {
        let wide = numbers.filter { $0 >= wideFrom }
        guard !wide.isEmpty else { return [] }
        var extra: [UInt8] = []
        extra.append(littleEndian: UInt16(1))
        extra.append(littleEndian: UInt16(8 * wide.count))
        for number in wide { extra.append(littleEndian: UInt64(number)) }
        return extra
    }

    /// What local header and directory have in common (4.3.7), from the version to the length of the name.
    private func commonFields(_ entry: Entry, extra: [UInt8]) -> [UInt8] {
        var fields: [UInt8] = []
        // Version needed (4.5 has zip64), flags, method 0 (stored), time.
        for field in [extra.starts(with: [1, 0]) ? 45 : 20, Self.nameIsUTF8, 0, 0, Self.date] {
            fields.append(littleEndian: field)
        }
        fields.append(littleEndian: entry.checksum)
        for _ in 0..<2 { fields.append(littleEndian: short(entry.size)) }
        fields.append(littleEndian: UInt16(entry.name.utf8.count))
        fields.append(littleEndian: UInt16(extra.count))
        return fields
    }

    private func localHeader(_ entry: Entry) -> [UInt8] {
        var extra = wide([entry.size, entry.size])
        // The padding is an extra field too, with an identifier and a length of its own.
        let end = entry.localHeader + 30 + entry.name.utf8.count + extra.count + 4
        let padding = (Self.alignment - end % Self.alignment) % Self.alignment
        extra.append(contentsOf: "FB".utf8)
        extra.append(littleEndian: UInt16(padding))
        extra.append(contentsOf: repeatElement(UInt8(ascii: "Z"), count: padding))
        var header: [UInt8] = []
        header.append(littleEndian: UInt32(0x0403_4B50))
        return header + commonFields(entry, extra: extra) + entry.name.utf8 + extra
    }

    private func directoryEntry(_ entry: Entry) -> [UInt8] {
        let extra = wide([entry.size, entry.size, entry.localHeader])
        var record: [UInt8] = []
        record.append(littleEndian: UInt32(0x0201_4B50))
        record.append(littleEndian: UInt16(45))  // Version of the writer
        record += commonFields(entry, extra: extra)
        // No comment, disk 0, no attributes (2 + 2 + 2 + 4 bytes).
        record += [UInt8](repeating: 0, count: 10)
        record.append(littleEndian: short(entry.localHeader))
        return record + entry.name.utf8 + extra
    }

    /// The zip64 end of the directory and its locator (4.3.14, 4.3.15).
    private func wideEnd(start: Int, size: Int) -> [UInt8] {
        var end: [UInt8] = []
        end.append(littleEndian: UInt32(0x0606_4B50))
        end.append(littleEndian: UInt64(44))  // Length of the rest of this record
        for _ in 0..<2 { end.append(littleEndian: UInt16(45)) }
        end.append(littleEndian: UInt64(0))  // Both disks' numbers
        for number in [entries.count, entries.count, size, start] { end.append(littleEndian: UInt64(number)) }
        end.append(littleEndian: UInt32(0x0706_4B50))
        end.append(littleEndian: UInt32(0))
        end.append(littleEndian: UInt64(start + size))
        end.append(littleEndian: UInt32(1))  // Disks in all
        return end
    }
}
