import Foundation
import JSON

@testable import Training

/// An empty folder, removed with its owner.
final class ReportFolder {
    private let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func path(_ name: String) -> String { url.appending(path: name).path }

    var names: [String] { get throws { try FileManager.default.contentsOfDirectory(atPath: url.path).sorted() } }

    func text(_ name: String) throws -> String { try String(contentsOfFile: path(name), encoding: .utf8) }

    func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: URL(filePath: path(name)))
    }
}

/// A record of a step, with a loss of `1 / (step + 1)`.
func stepRecord(_ step: Int) -> TrainingRecord {
    var record = TrainingRecord(.step, step: step, epoch: step / 10)
    record.loss = 1 / Double(step + 1)
    return record
}

func logLine(_ record: TrainingRecord) -> String { record.json.description + "\n" }
