import FilePaths
import Foundation
import Synchronization
import Testing

@testable import Checkpoint

/// What is in the folder of a file.
private func neighbours(of file: TemporaryFile) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: URL(filePath: file.path).deletingLastPathComponent().path)
}

private func contents(_ path: String) throws -> [UInt8] { Array(try Data(contentsOf: URL(filePath: path))) }

/// A disk with room for so many bytes that takes at most 1,000 at a time.
private func smallDisk(_ room: Int) -> FileCalls {
    var calls = FileCalls()
    calls.write = { descriptor, bytes, count in
        let left = room - Int(lseek(descriptor, 0, SEEK_CUR))
        guard left > 0 else {
            errno = ENOSPC
            return -1
        }
        return Glibc.write(descriptor, bytes, min(count, left, 1000))
    }
    return calls
}

private func failing(sync: Bool) -> FileCalls {
    var calls = FileCalls()
    if sync {
        calls.sync = { _ in
            errno = EIO
            return -1
        }
    } else {
        calls.rename = { _, _, _ in
            errno = EDQUOT
            return -1
        }
    }
    return calls
}

private final class Counter: Sendable {
    private let value = Atomic(0)
    func next() -> Int { value.add(1, ordering: .relaxed).newValue }
}

private let old: [UInt8] = Array("old".utf8)
private let large = (0..<3_000_017).map { UInt8(truncatingIfNeeded: $0 &* 2_654_435_761 >> 7) }

@Suite struct AtomicFileTests {
    @Test func replacesAtTheEndOnly() throws {
        let file = try TemporaryFile(old)
        var during: [UInt8]?
        try AtomicFile.write(file.path) { (sink) throws(FileWriteError) in
            for start in stride(from: 0, to: large.count, by: 70_001) {
                try sink.write(Array(large[start..<min(start + 70_001, large.count)]))
            }
            #expect(sink.position == large.count)
            during = try? contents(file.path)
        }
        #expect(during == old)
        #expect(try contents(file.path) == large && neighbours(of: file) == ["model.bin"])
        try AtomicFile.write(large, to: file.path)
        #expect(try contents(file.path) == large)
    }

    @Test func keepsTheOrderOfSmallAndLargePieces() throws {
        let file = try TemporaryFile(old)
        try AtomicFile.write(file.path + ".new") { (sink) throws(FileWriteError) in
            try sink.write("grün ")
            try sink.write(large)
            try sink.write([])
            try sink.write([1, 2])
        }
        #expect(try contents(file.path + ".new") == Array("grün ".utf8) + large + [1, 2])
        #expect(try contents(file.path) == old)
    }

    @Test func goesOnAfterShortAndInterruptedCalls() throws {
        let file = try TemporaryFile(old)
        let counter = Counter()
        var calls = smallDisk(1 << 20)
        let write = calls.write
        calls.write = { descriptor, bytes, count in
            guard counter.next().isMultiple(of: 3) else {
                errno = EINTR
                return -1
            }
            return write(descriptor, bytes, count)
        }
        calls.sync = { descriptor in
            guard counter.next().isMultiple(of: 3) else {
                errno = EINTR
                return -1
            }
            return fsync(descriptor)
        }
        try AtomicFile.write(file.path, calls: calls) { (sink) throws(FileWriteError) in
            try sink.write(Array(large[..<50_000]))
        }
        #expect(try contents(file.path) == Array(large[..<50_000]))
    }

    static let failures: [(FileCalls, FileWriteError.Step, String, Int)] = [
        (smallDisk(2500), .write, "No space left on device", 2500),
        (smallDisk(0), .write, "No space left on device", 0),
        (failing(sync: true), .sync, "Input/output error", 2_000_000),
        (failing(sync: false), .rename, "Disk quota exceeded", 2_000_000),
    ]

    /// Small pieces fail when the buffer is flushed, a large one at once.
    @Test(arguments: failures.indices, [1000, 2_000_000])
    func keepsTheOldFileWhereTheSystemFails(index: Int, piece: Int) throws {
        let (calls, step, reason, written) = Self.failures[index]
        let file = try TemporaryFile(old)
        let error = #expect(throws: FileWriteError.self) {
            try AtomicFile.write(file.path, calls: calls) { (sink) throws(FileWriteError) in
                for start in stride(from: 0, to: 2_000_000, by: piece) {
                    try sink.write(Array(large[start..<start + piece]))
                }
            }
        }
        #expect(error == FileWriteError(path: file.path, step: step, reason: reason, bytesWritten: written))
        #expect(try contents(file.path) == old && neighbours(of: file) == ["model.bin"])
    }

    @Test func anOverlookedFailureStillCounts() throws {
        let file = try TemporaryFile(old)
        let error = #expect(throws: FileWriteError.self) {
            try AtomicFile.write(file.path, calls: smallDisk(2_500_000)) { (sink) throws(FileWriteError) in
                try? sink.write(large)
                var again: FileWriteError?
                do throws(FileWriteError) { try sink.write([1]) } catch { again = error }
                #expect(again?.bytesWritten == 2_500_000)
            }
        }
        #expect(error?.reason == "No space left on device")
        #expect(try contents(file.path) == old && neighbours(of: file) == ["model.bin"])
    }

    @Test func reportsWhatAFullDeviceSays() throws {
        let descriptor = Glibc.open("/dev/full", O_WRONLY)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        var sink = FileSink(descriptor: descriptor, path: "f")
        try sink.write("text")
        var error: FileWriteError?
        do throws(FileWriteError) { try sink.flush() } catch let failure { error = failure }
        #expect(error?.description == "f: cannot be written: No space left on device (writing, after 0 bytes)")
    }

    @Test func keepsTheOldFileWhereTheBodyThrows() throws {
        let file = try TemporaryFile(old)
        let expected = FileWriteError(path: file.path, step: .contents, reason: "no images")
        #expect(throws: expected) {
            try AtomicFile.write(file.path) { (sink) throws(FileWriteError) in
                try sink.write(large)
                throw expected
            }
        }
        #expect(try contents(file.path) == old && neighbours(of: file) == ["model.bin"])
    }

    @Test func saysWhenTheFolderCannotBeFlushed() throws {
        let file = try TemporaryFile(old)
        let counter = Counter()
        for (code, isRefused) in [(EINVAL, false), (EIO, true)] {
            var calls = FileCalls()
            // The file's call comes before the folder's.
            calls.sync = { _ in
                errno = code
                return counter.next().isMultiple(of: 2) ? -1 : 0
            }
            var error: FileWriteError?
            do throws(FileWriteError) {
                try AtomicFile.write(file.path, calls: calls) { (sink) throws(FileWriteError) in
                    try sink.write("\(code)")
                }
            } catch let failure {
                error = failure
            }
            #expect(error?.step == (isRefused ? .folderSync : nil))
            #expect(try contents(file.path) == Array("\(code)".utf8))
        }
    }

    /// In the text form of `Path`; the longest name that a file may have too.
    @Test(arguments: [
        "caf\\xe9.bin", "\\x80", "\\xc0\\xaf.bin", "é.bin", "e\u{301}.bin", "\\x1b[31m\\x0a",
        String(repeating: "\\xe9", count: 255),
        String(repeating: "é", count: 127) + "x",
    ])
    func namesNeedNotBeUTF8(name: String) throws {
        let file = try TemporaryFile(old)
        let folder = Path(file.path).folder
        let path = folder.appending(Path(name))
        for round in 0..<2 {
            try AtomicFile.write([UInt8](repeating: UInt8(round), count: 5), to: path.description)
            #expect(try folder.entries() == [Path(name), "model.bin"].sorted())
            #expect(try path.status().st_size == 5)
        }
        let left = folder.appending(Path(".\(name.prefix(40)).12345678.partial"))
        close(left.open(O_WRONLY | O_CREAT))
        #expect(left.exists)
        AtomicFile.removePartials(in: folder.description)
        #expect(!left.exists && path.exists)
    }

    static let places: [(String, FileWriteError.Step, String)] = [
        ("none/model.bin", .folder, "No such file or directory"), ("model.bin/x", .folder, "Not a directory"),
        ("", .target, "the path does not end with a file's name"), ("folder", .target, "is not a regular file"),
        ("link", .target, "exists and is not a regular file"),
        (String(repeating: "n", count: 256), .create, "File name too long"),
    ]

    @Test(arguments: places)
    func refusesPlaces(name: String, step: FileWriteError.Step, reason: String) throws {
        let file = try TemporaryFile(old)
        let folder = URL(filePath: file.path).deletingLastPathComponent()
        try FileManager.default.createDirectory(
            at: folder.appending(path: "folder"), withIntermediateDirectories: false)
        try FileManager.default.createSymbolicLink(
            atPath: folder.appending(path: "link").path, withDestinationPath: "model.bin")
        let path = folder.path + "/" + name
        let error = #expect(throws: FileWriteError.self) { try AtomicFile.write(old, to: path) }
        #expect(
            error?.path == path && error?.step == step && error?.reason.hasSuffix(reason) == true, "\(error as Any)")
        #expect(try neighbours(of: file).sorted() == ["folder", "link", "model.bin"])
    }
}
