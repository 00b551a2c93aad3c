import Foundation
import Testing

@testable import Checkpoint

struct WritableFolderTests {
    @Test(arguments: ["a", "a/b/c", "a/b/c/", "a//b"])
    func isMadeWithThoseAbove(name: String) throws {
        let root = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
        defer { try? FileManager.default.removeItem(atPath: root) }
        try WritableFolder.make("\(root)/\(name)")
        try Data([1]).write(to: URL(fileURLWithPath: "\(root)/\(name)/file"))
        // What is there stays.
        try WritableFolder.make("\(root)/\(name)")
        #expect(FileManager.default.fileExists(atPath: "\(root)/\(name)/file"))
    }

    @Test func aFileInTheWayIsNamed() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
        try Data().write(to: URL(fileURLWithPath: file))
        defer { try? FileManager.default.removeItem(atPath: file) }
        for path in [file, file + "/below"] {
            let error = #expect(throws: FileWriteError.self) { try WritableFolder.make(path) }
            #expect(
                error?.description
                    == "\(path): cannot be written: \(file) is not a folder (making the folder, after 0 bytes)")
        }
    }

    @Test func aLinkToNowhereIsNoFolder() throws {
        let link = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
        try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "nowhere-\(UUID())")
        defer { try? FileManager.default.removeItem(atPath: link) }
        let error = #expect(throws: FileWriteError.self) { try WritableFolder.make(link) }
        #expect(error?.reason == "File exists")
    }

    @Test func whatTheSystemRefusesIsTold() {
        let error = #expect(throws: FileWriteError.self) { try WritableFolder.make("/proc/none/such") }
        #expect(error?.reason == "No such file or directory")
    }
}
