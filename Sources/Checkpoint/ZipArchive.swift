/// The directory of a zip archive whose members are stored without compression (PKWARE APPNOTE 6.3.10, 4.3; zip64
/// included). Torch writes such archives so that tensors can be mapped.
struct ZipArchive: Sendable {
    struct Member: Sendable, Hashable {
        let name: String
        /// In bytes.
        let size: Int
        let localHeader: Int
    }

    static let memberLimit = 1 << 20

    let path: String
    private(set) var members: [String: Member] = [:]
    /// Where the directory begins: members end before it.
    private let directoryStart: Int

    static func recognises(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.littleEndian(UInt32.self, at: 0) == 0x0403_4B50
    }

    init(bytes: UnsafeRawBufferPointer, path: String) throws(CheckpointError) {
        self.path = path
        let end = try ZipEnd.find(in: bytes, path: path)
        directoryStart = end.start
        guard let directory = bytes.part(end.start, end.size) else { throw .archive(path: path, .directoryOutOfBounds) }
        guard end.count <= Self.memberLimit else {
            throw .archive(path: path, .memberLimit(found: end.count, limit: Self.memberLimit))
        }
        var position = 0
        for index in 0..<end.count {
            let (member, length) = try Self.parseEntry(directory, at: position, index: index, path: path)
            guard member.localHeader < end.start, member.size <= end.start - member.localHeader else {
                throw .archive(path: path, .outOfBounds(member: member.name))
            }
            guard members.updateValue(member, forKey: member.name) == nil else {
                throw .archive(path: path, .duplicate(member: member.name))
            }
            position += length
        }
    }

    /// The bytes of a member, after a check of its local header, whose extra field has a length of its own.
    func contents(of member: Member, in bytes: UnsafeRawBufferPointer) throws(CheckpointError) -> UnsafeRawBufferPointer
    {
        guard let header = bytes.part(member.localHeader, 30), header.littleEndian(UInt32.self, at: 0) == 0x0403_4B50,
            let flags = header.littleEndian(UInt16.self, at: 6), flags & 1 == 0,
            header.littleEndian(UInt16.self, at: 8) == 0,
            let nameLength = header.littleEndian(UInt16.self, at: 26).map(Int.init),
            let extraLength = header.littleEndian(UInt16.self, at: 28).map(Int.init),
            let name = bytes.part(member.localHeader + 30, nameLength), name.elementsEqual(member.name.utf8)
        else { throw .archive(path: path, .localHeader(member: member.name)) }
        let start = member.localHeader + 30 + nameLength + extraLength
        guard start <= directoryStart, member.size <= directoryStart - start,
            let contents = bytes.part(start, member.size)
        else { throw .archive(path: path, .outOfBounds(member: member.name)) }
        return contents
    }

    /// One record of the central directory (4.3.12) and its length.
    private static func parseEntry(
        _ directory: UnsafeRawBufferPointer, at position: Int, index: Int, path: String
    ) throws(CheckpointError) -> (Member, Int) {
        func number<Number: FixedWidthInteger>(_ type: Number.Type, _ offset: Int) -> Int {
            directory.littleEndian(Number.self, at: position + offset).map { Int($0) } ?? 0
        }
        let malformed = CheckpointError.archive(path: path, .directoryEntry(index: index))
        guard directory.part(position, 46) != nil, number(UInt32.self, 0) == 0x0201_4B50 else { throw malformed }
        let nameLength = number(UInt16.self, 28)
        let extraLength = number(UInt16.self, 30)
        guard let nameBytes = directory.part(position + 46, nameLength),
            let extra = directory.part(position + 46 + nameLength, extraLength)
        else { throw malformed }
        guard let name = String(validating: nameBytes, as: UTF8.self) else {
            throw .archive(path: path, .nameNotUTF8(index: index))
        }
        guard number(UInt16.self, 8) & 0x2041 == 0 else { throw .archive(path: path, .encrypted(member: name)) }
        let method = number(UInt16.self, 10)
        guard method == 0 else { throw .archive(path: path, .compressed(member: name, method: method)) }
        var extension64 = Zip64Extra(extra)
        // The order of the fields in the extension is fixed, and only those that overflow are there (4.5.3).
        guard let size = extension64.resolve(number(UInt32.self, 24)),
            let stored = extension64.resolve(number(UInt32.self, 20)), stored == size,
            let header = extension64.resolve(number(UInt32.self, 42))
        else { throw malformed }
        return (
            Member(name: name, size: size, localHeader: header),
            46 + nameLength + extraLength + number(UInt16.self, 32)
        )
    }
}

/// The zip64 extended information of a directory record (4.5.3): the 64-bit values of fields that read 0xFFFFFFFF.
private struct Zip64Extra {
    private var fields: UnsafeRawBufferPointer?
    private var position = 0

    init(_ extra: UnsafeRawBufferPointer) {
        var offset = 0
        while let id = extra.littleEndian(UInt16.self, at: offset),
            let length = extra.littleEndian(UInt16.self, at: offset + 2), let body = extra.part(offset + 4, Int(length))
        {
            if id == 1 {
                fields = body
                return
            }
            offset += 4 + Int(length)
        }
    }

    mutating func resolve(_ short: Int) -> Int? {
        guard short == 0xFFFF_FFFF else { return short }
        guard let value = fields?.littleEndian(UInt64.self, at: position) else { return nil }
        position += 8
        return Int(exactly: value)
    }
}

/// The end of the central directory (4.3.16), in its zip64 form where there is one (4.3.14).
private struct ZipEnd {
    let count: Int
    let start: Int
    let size: Int

    static func find(in bytes: UnsafeRawBufferPointer, path: String) throws(CheckpointError) -> ZipEnd {
        guard let position = locate(in: bytes) else { throw .archive(path: path, .noDirectory) }
        let end: ZipEnd
        if bytes.littleEndian(UInt32.self, at: position - 20) == 0x0706_4B50 {
            end = try read64(bytes, locator: position - 20, path: path)
        } else {
            func number<Number: FixedWidthInteger>(_ type: Number.Type, _ offset: Int) -> Int {
                bytes.littleEndian(Number.self, at: position + offset).map { Int($0) } ?? 0
            }
            guard number(UInt16.self, 4) == 0, number(UInt16.self, 6) == 0,
                number(UInt16.self, 8) == number(UInt16.self, 10)
            else { throw .archive(path: path, .severalDisks) }
            end = ZipEnd(count: number(UInt16.self, 10), start: number(UInt32.self, 16), size: number(UInt32.self, 12))
        }
        guard end.start <= position, end.size <= position - end.start else {
            throw .archive(path: path, .directoryOutOfBounds)
        }
        return end
    }

    /// The record lies at the end, before a comment of at most 65,535 bytes that reaches the end of the file.
    private static func locate(in bytes: UnsafeRawBufferPointer) -> Int? {
        guard bytes.count >= 22 else { return nil }
        for position in stride(from: bytes.count - 22, through: max(0, bytes.count - 22 - 0xFFFF), by: -1) {
            if bytes.littleEndian(UInt32.self, at: position) == 0x0605_4B50,
                let comment = bytes.littleEndian(UInt16.self, at: position + 20),
                position + 22 + Int(comment) == bytes.count
            {
                return position
            }
        }
        return nil
    }

    private static func read64(
        _ bytes: UnsafeRawBufferPointer, locator: Int, path: String
    ) throws(CheckpointError) -> ZipEnd {
        let outside = CheckpointError.archive(path: path, .directoryOutOfBounds)
        guard bytes.littleEndian(UInt32.self, at: locator + 4) == 0,
            let disks = bytes.littleEndian(UInt32.self, at: locator + 16),
            disks <= 1
        else { throw .archive(path: path, .severalDisks) }
        guard let position = bytes.littleEndian(UInt64.self, at: locator + 8).flatMap({ Int(exactly: $0) }),
            let record = bytes.part(position, 56), record.littleEndian(UInt32.self, at: 0) == 0x0606_4B50
        else { throw outside }
        func number(_ offset: Int) -> Int? {
            record.littleEndian(UInt64.self, at: offset).flatMap { Int(exactly: $0) }
        }
        guard record.littleEndian(UInt64.self, at: 16) == 0, number(24) == number(32) else {
            throw .archive(path: path, .severalDisks)
        }
        guard let count = number(32), let size = number(40), let start = number(48) else { throw outside }
        return ZipEnd(count: count, start: start, size: size)
    }
}
