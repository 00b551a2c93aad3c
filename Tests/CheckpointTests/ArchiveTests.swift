import Checkpoint
import CheckpointBuilders
import Testing

private func changed(_ member: Int = 2, _ change: (inout ZipBuilder.Member) -> Void) -> [UInt8] {
    var builder = torchArchive(Pickle.dict([("w", Pickle.tensor())]))
    change(&builder.members[member])
    return builder.build()
}

private func changed(_ change: (inout ZipBuilder) -> Void) -> [UInt8] {
    var builder = torchArchive(Pickle.dict([("w", Pickle.tensor())]))
    change(&builder)
    return builder.build()
}

@Suite struct ArchiveTests {
    static let accepted: [[UInt8]] = [
        changed { (_: inout ZipBuilder) in },
        changed { (builder: inout ZipBuilder) in builder.zip64End = true },
        changed { (builder: inout ZipBuilder) in builder.comment = Array("PK\u{5}\u{6} a comment".utf8) },
        changed { (member: inout ZipBuilder.Member) in member.zip64 = true },
        changed(0) { $0.zip64 = true },
        changed { (member: inout ZipBuilder.Member) in member.localExtra = [0x46, 0x42, 2, 0, 0x5A, 0x5A] },
        torchArchive(Pickle.dict([("w", Pickle.tensor())]), byteorder: nil, root: "").build(),
        torchArchive(Pickle.dict([("w", Pickle.tensor())]), root: "some model.v2/").build(),
    ]

    @Test(arguments: accepted)
    func reads(bytes: [UInt8]) throws {
        #expect(try open(bytes).floats("w") == [1, 2, 3, 4])
    }

    static let refusals: [([UInt8], String)] = [
        (Array(changed { (_: inout ZipBuilder) in }.dropLast()), "no end of a zip directory; the file may be cut off"),
        (changed { (builder: inout ZipBuilder) in builder.disk = 1 }, "one of several parts"),
        (
            changed { (builder: inout ZipBuilder) in builder.directoryStart = 100_000 },
            "directory lies outside the file"
        ),
        (
            changed { (builder: inout ZipBuilder) in builder.directoryStart = 3 },
            "entry 0 of the zip directory is malformed"
        ),
        (changed { (builder: inout ZipBuilder) in builder.count = 4 }, "entry 3 of the zip directory is malformed"),
        (
            changed { (member: inout ZipBuilder.Member) in member.name = [0x61, 0xFF] },
            "entry 2 of the zip directory has a name"
        ),
        (changed { (member: inout ZipBuilder.Member) in member.flags = 1 }, "member 'archive/data/0' is encrypted"),
        (
            changed { (member: inout ZipBuilder.Member) in member.method = 8 },
            "'archive/data/0' is compressed (method 8)"
        ),
        (
            changed { (member: inout ZipBuilder.Member) in member.storedSize = 12 },
            "entry 2 of the zip directory is malformed"
        ),
        (
            changed { (member: inout ZipBuilder.Member) in member.size = .max },
            "entry 2 of the zip directory is malformed"
        ),
        (
            changed { (member: inout ZipBuilder.Member) in member.size = 1 << 30 },
            "'archive/data/0' lies outside the file"
        ),
        (
            changed { (member: inout ZipBuilder.Member) in member.header = 1 << 30 },
            "'archive/data/0' lies outside the file"
        ),
        (
            changed { (builder: inout ZipBuilder) in builder.members.append(builder.members[2]) },
            "'archive/data/0' is there twice"
        ),
        (changed(0) { $0.localName = Array("archive/other.pk".utf8) }, "local header of member 'archive/data.pkl'"),
        (changed(0) { $0.header = 10 }, "local header of member 'archive/data.pkl'"),
        (changed(0) { $0.name = Array("archive/other".utf8) }, "no member data.pkl"),
        (changed(1) { $0.name = Array("b/data.pkl".utf8) }, "several members data.pkl"),
        (
            torchArchive(Pickle.dict([]), root: String(repeating: "r", count: 256) + "/").build(),
            "in a folder with a name of 257 bytes; expected at most 256"
        ),
        (changed(1) { $0.contents = Array("middle".utf8) }, "byteorder is 'middle'; expected 'little'"),
    ]

    @Test(arguments: refusals)
    func refuses(bytes: [UInt8], expected: String) throws {
        let error = try #require(try openingError(bytes))
        #expect(error.hasPrefix("broken torch archive: ") && error.contains(expected), "\(error)")
    }

    @Test func refusesBigEndian() throws {
        let bytes = changed(1) { $0.contents = Array("big".utf8) }
        #expect(try openingError(bytes) == "written on a big-endian machine; expected little-endian numbers")
    }

    @Test func refusesABrokenMemberWhenItsTensorIsAskedFor() throws {
        for bytes in [
            changed { (member: inout ZipBuilder.Member) in member.localFlags = 1 },
            changed { (member: inout ZipBuilder.Member) in member.localName = Array("archive/data/1".utf8) },
        ] {
            let file = try open(bytes)
            #expect(throws: CheckpointError.archive(path: file.path, .localHeader(member: "archive/data/0"))) {
                try file.floats("w")
            }
        }
    }

    @Test func refusesZip64FieldsOutOfRange() throws {
        let bytes = changed { (builder: inout ZipBuilder) in builder.zip64End = true }
        // From the end: 22 bytes of end, 20 of locator, 56 of zip64 end; directory start is its last field.
        for (field, expected) in [
            (22 + 20 + 8, "directory lies outside"), (22 + 20 + 16, "directory lies outside"),
            (22 + 20 + 24, "several parts"), (22 + 12, "directory lies outside"),
        ] {
            var damaged = bytes
            damaged.replaceSubrange((bytes.count - field)..<(bytes.count - field + 8), with: littleEndian(UInt64.max))
            let error = try #require(try openingError(damaged))
            #expect(error.contains(expected), "\(field): \(error)")
        }
    }
}
