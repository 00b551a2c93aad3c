// Writers of checkpoint files for tests, well-formed unless a test changes a field.

package func littleEndian<Number: FixedWidthInteger>(_ value: Number) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

package func floatBytes(_ values: [Float]) -> [UInt8] { littleEndian(values.map { $0.bitPattern }) }

package func littleEndian<Number: FixedWidthInteger>(_ numbers: [Number]) -> [UInt8] {
    numbers.map { $0.littleEndian }.withUnsafeBytes { Array($0) }
}

package func safetensors(_ header: String, data: [UInt8] = [], length: UInt64? = nil) -> [UInt8] {
    littleEndian(length ?? UInt64(header.utf8.count)) + Array(header.utf8) + data
}

/// Writes zip archives, well-formed unless a test changes a field.
package struct ZipBuilder {
    package struct Member {
        package var name: [UInt8]
        package var contents: [UInt8]
        package var flags: UInt16 = 0
        package var localFlags: UInt16?
        package var method: UInt16 = 0
        package var size: UInt32?
        package var storedSize: UInt32?
        package var header: UInt32?
        package var localName: [UInt8]?
        package var localExtra: [UInt8] = []
        package var zip64 = false

        package init(_ name: String, _ contents: [UInt8]) {
            self.name = Array(name.utf8)
            self.contents = contents
        }
    }

    package var members: [Member]
    package var zip64End = false
    package var comment: [UInt8] = []
    package var disk: UInt16 = 0
    package var count: UInt16?
    package var directoryStart: UInt32?

    package init(_ members: [Member]) { self.members = members }

    package func build() -> [UInt8] {
        var bytes: [UInt8] = []
        var directory: [UInt8] = []
        for member in members {
            directory += entry(member, header: bytes.count)
            let name = member.localName ?? member.name
            bytes += littleEndian(UInt32(0x0403_4B50)) + littleEndian(UInt16(20))
            bytes +=
                littleEndian(member.localFlags ?? member.flags) + littleEndian(member.method)
                + [UInt8](repeating: 0, count: 16)
            bytes += littleEndian(UInt16(name.count)) + littleEndian(UInt16(member.localExtra.count))
            bytes += name + member.localExtra + member.contents
        }
        let start = bytes.count
        bytes += directory
        if zip64End { bytes += end64(start: start, size: directory.count) }
        bytes += littleEndian(UInt32(0x0605_4B50)) + littleEndian(disk) + littleEndian(disk)
        let total = zip64End ? UInt16.max : count ?? UInt16(members.count)
        bytes += littleEndian(total) + littleEndian(total)
        bytes += littleEndian(zip64End ? UInt32.max : UInt32(directory.count))
        bytes += littleEndian(zip64End ? UInt32.max : directoryStart ?? UInt32(start))
        return bytes + littleEndian(UInt16(comment.count)) + comment
    }

    private func entry(_ member: Member, header: Int) -> [UInt8] {
        let size = member.size ?? UInt32(member.contents.count)
        let extra: [UInt8] =
            member.zip64
            ? littleEndian(UInt16(7)) + littleEndian(UInt16(1)) + [9] + littleEndian(UInt16(1))
                + littleEndian(UInt16(24))
                + littleEndian(UInt64(size)) + littleEndian(UInt64(member.storedSize ?? size))
                + littleEndian(UInt64(header))
            : []
        var bytes = littleEndian(UInt32(0x0201_4B50)) + littleEndian(UInt32(20)) + littleEndian(member.flags)
        bytes += littleEndian(member.method) + [UInt8](repeating: 0, count: 8)
        bytes += littleEndian(member.zip64 ? UInt32.max : member.storedSize ?? size)
        bytes += littleEndian(member.zip64 ? UInt32.max : size)
        bytes +=
            littleEndian(UInt16(member.name.count)) + littleEndian(UInt16(extra.count))
            + [UInt8](repeating: 0, count: 10)
        bytes += littleEndian(member.zip64 ? UInt32.max : member.header ?? UInt32(header))
        return bytes + member.name + extra
    }

    private func end64(start: Int, size: Int) -> [UInt8] {
        var bytes = littleEndian(UInt32(0x0606_4B50)) + littleEndian(UInt64(44)) + littleEndian(UInt32(0x2D_002D))
        bytes += littleEndian(UInt64(0)) + littleEndian(UInt64(members.count)) + littleEndian(UInt64(members.count))
        bytes += littleEndian(UInt64(size)) + littleEndian(UInt64(start))
        bytes += littleEndian(UInt32(0x0706_4B50)) + littleEndian(UInt32(0)) + littleEndian(UInt64(start + size))
        return bytes + littleEndian(UInt32(1))
    }
}

/// Assembles pickles of protocol 2.
package enum Pickle {
    package static func string(_ text: String) -> [UInt8] {
        [0x58] + littleEndian(UInt32(text.utf8.count)) + Array(text.utf8)
    }
    package static func int(_ value: Int32) -> [UInt8] { [0x4A] + littleEndian(value) }
    package static func long(_ value: Int64) -> [UInt8] { [0x8A, 8] + littleEndian(value) }
    package static func global(_ module: String, _ name: String) -> [UInt8] {
        [0x63] + Array("\(module)\n\(name)\n".utf8)
    }
    package static func tuple(_ items: [[UInt8]]) -> [UInt8] { [0x28] + items.flatMap { $0 } + [0x74] }
    package static func call(_ function: [UInt8], _ arguments: [[UInt8]]) -> [UInt8] {
        function + tuple(arguments) + [0x52]
    }
    package static func dict(_ pairs: [(String, [UInt8])]) -> [UInt8] {
        [0x7D, 0x28] + pairs.flatMap { string($0.0) + $0.1 } + [0x75]
    }
    package static func program(_ body: [UInt8]) -> [UInt8] { [0x80, 2] + body + [0x2E] }

    package static func storage(
        _ key: String, count: [UInt8], type: [UInt8] = global("torch", "FloatStorage")
    ) -> [UInt8] {
        tuple([string("storage"), type, string(key), string("cpu"), count]) + [0x51]
    }

    /// A float32 tensor in record `key`.
    package static func tensor(
        _ key: String = "0", count: Int64 = 4, offset: [UInt8] = int(0), shape: [[UInt8]] = [int(2), int(2)],
        strides: [[UInt8]] = [int(2), int(1)], storage: [UInt8]? = nil, extra: [[UInt8]] = []
    ) -> [UInt8] {
        call(
            global("torch._utils", "_rebuild_tensor_v2"),
            [
                storage ?? Pickle.storage(key, count: long(count)), offset, tuple(shape), tuple(strides), [0x89],
                call(global("collections", "OrderedDict"), []),
            ] + extra)
    }
}

/// A torch archive around a pickle, with record `0` of the floats 1, 2, 3, 4.
package func torchArchive(_ body: [UInt8], byteorder: String? = "little", root: String = "archive/") -> ZipBuilder {
    var members = [ZipBuilder.Member(root + "data.pkl", Pickle.program(body))]
    if let byteorder { members.append(ZipBuilder.Member(root + "byteorder", Array(byteorder.utf8))) }
    members.append(ZipBuilder.Member(root + "data/0", floatBytes([1, 2, 3, 4])))
    return ZipBuilder(members)
}
