import Foundation
import JSON

@testable import Checkpoint

/// A file in a temporary folder of its own, removed with its owner.
final class TemporaryFile {
    let path: String
    private let folder: URL

    init(_ bytes: [UInt8], name: String = "model.bin") throws {
        folder = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        path = folder.appending(path: name).path
        try Data(bytes).write(to: URL(filePath: path))
    }

    deinit { try? FileManager.default.removeItem(at: folder) }
}

func open(_ bytes: [UInt8]) throws -> CheckpointFile {
    let file = try TemporaryFile(bytes)
    return try withExtendedLifetime(file) { try CheckpointFile(path: file.path) }
}

/// The error without the temporary path at its beginning.
func openingError(_ bytes: [UInt8]) throws -> String? {
    let file = try TemporaryFile(bytes)
    return withExtendedLifetime(file) {
        do throws(CheckpointError) {
            _ = try CheckpointFile(path: file.path)
            return nil
        } catch {
            return message(error, path: file.path)
        }
    }
}

func message(_ error: CheckpointError, path: String) -> String {
    let text = error.description
    return text.hasPrefix(path + ": ") && !text.contains("\n")
        ? String(text.dropFirst(path.count + 2)) : "no path: \(text)"
}

func fixture(_ name: String) throws -> [UInt8] {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")
    return Array(try Data(contentsOf: folder.appending(path: name)))
}
