import Foundation
import JSON
import Synchronization
import Testing

@testable import Training

private func steps(_ folder: ReportFolder, keepingThrough step: Int) throws -> [Int] {
    try TrainingLog(path: folder.path("log.jsonl"), keepingThrough: step).records.map(\.step)
}

@Test func aNewLogTakesOneLineARecord() throws {
    let folder = try ReportFolder()
    var log = try TrainingLog(path: folder.path("log.jsonl"), keepingThrough: -1)
    #expect(log.records.isEmpty)
    for step in 1...3 {
        try log.append(stepRecord(step))
        #expect(try folder.text("log.jsonl") == (1...step).map { logLine(stepRecord($0)) }.joined())
    }
    #expect(log.records == (1...3).map(stepRecord))
}

@Test(arguments: [(10, [1, 2, 3, 4]), (4, [1, 2, 3, 4]), (2, [1, 2]), (0, []), (-1, [])])
func resumingDropsLaterSteps(last: Int, kept: [Int]) throws {
    let folder = try ReportFolder()
    try folder.write((1...4).map { logLine(stepRecord($0)) }.joined(), to: "log.jsonl")
    #expect(try steps(folder, keepingThrough: last) == kept)
    #expect(try folder.text("log.jsonl") == kept.map { logLine(stepRecord($0)) }.joined())
    #expect(try folder.names == ["log.jsonl"])
}

@Test func everyCutOfTheLastLineLeavesTheOthersAndCanBeAppendedTo() throws {
    let folder = try ReportFolder()
    let (first, second) = (logLine(stepRecord(1)), logLine(stepRecord(2)))
    for length in 0..<second.utf8.count {
        try folder.write(first + second.prefix(length), to: "log.jsonl")
        var log = try TrainingLog(path: folder.path("log.jsonl"), keepingThrough: 9)
        // Only the line feed is missing: the record is whole.
        let whole = length == second.utf8.count - 1
        #expect(log.records.map(\.step) == (whole ? [1, 2] : [1]))
        try log.append(stepRecord(3))
        #expect(try folder.text("log.jsonl") == first + (whole ? second : "") + logLine(stepRecord(3)))
    }
}

@Test func aTailOfZerosIsDropped() throws {
    let folder = try ReportFolder()
    try folder.write(logLine(stepRecord(1)) + "\0\0\0\0", to: "log.jsonl")
    #expect(try steps(folder, keepingThrough: 9) == [1])
    #expect(try folder.text("log.jsonl") == logLine(stepRecord(1)))
}

@Test func keptLinesKeepTheirBytes() throws {
    let folder = try ReportFolder()
    let foreign = #"{ "kind":"step", "step":1, "epoch":0, "loss":1.50, "note":"by hand" }"# + "\n"
    try folder.write(foreign + logLine(stepRecord(5)), to: "log.jsonl")
    #expect(try steps(folder, keepingThrough: 1) == [1])
    #expect(try folder.text("log.jsonl") == foreign)
}

@Test func aBrokenLineInsideIsNamedAndTheFileLeftAlone() throws {
    let folder = try ReportFolder()
    let text = logLine(stepRecord(1)) + "{\"kind\":\n" + logLine(stepRecord(9))
    try folder.write(text, to: "log.jsonl")
    let error = #expect(throws: TrainingLogError.self) { try steps(folder, keepingThrough: 1) }
    #expect(
        error?.description == folder.path("log.jsonl")
            + ": line 2 is not a record of a training log: at byte 8: expected a value, found the end of the text; "
            + "remove this file to go on without it")
    #expect(try folder.text("log.jsonl") == text)
}

@Test func aMissingFolderIsNamed() throws {
    let folder = try ReportFolder()
    let path = folder.path("absent/log.jsonl")
    let error = #expect(throws: TrainingLogError.self) { _ = try TrainingLog(path: path, keepingThrough: 0) }
    #expect(error?.description == "\(path): cannot be opened: No such file or directory")
}

@Test func aFolderAndADeviceAreRefused() throws {
    let folder = try ReportFolder()
    for path in [folder.path(""), "/dev/full"] {
        let error = #expect(throws: TrainingLogError.self) { _ = try TrainingLog(path: path, keepingThrough: 0) }
        #expect(error?.description == "\(path): is not a regular file")
    }
}

@Test func aFailedWriteGivesTheSystemsWord() throws {
    var log = TrainingLog(path: "run/log.jsonl", descriptor: open("/dev/full", O_WRONLY))
    let description: String?
    do throws(TrainingLogError) {
        try log.append(stepRecord(1))
        description = nil
    } catch {
        description = error.description
    }
    #expect(description == "run/log.jsonl: cannot be written: No space left on device")
    #expect(log.records.isEmpty)
}

@Test func halfALineIsTakenBackAndInterruptionsAreNot() throws {
    let folder = try ReportFolder()
    try folder.write(logLine(stepRecord(1)), to: "log.jsonl")
    let script = Mutex(["some", "interrupt", "rest", "some", "full", "rest"][...])
    let descriptor = open(folder.path("log.jsonl"), O_WRONLY | O_APPEND)
    var log = TrainingLog(path: "log", descriptor: descriptor) { descriptor, bytes in
        switch script.withLock({ $0.popFirst() }) {
        case "some": return write(descriptor, bytes.baseAddress, 5)
        case "interrupt": errno = EINTR
        case "full": errno = ENOSPC
        default: return write(descriptor, bytes.baseAddress, bytes.count)
        }
        return -1
    }
    try log.append(stepRecord(2))
    #expect(try folder.text("log.jsonl") == logLine(stepRecord(1)) + logLine(stepRecord(2)))
    do { try log.append(stepRecord(3)); Issue.record("expected an error") } catch {}
    #expect(try folder.text("log.jsonl") == logLine(stepRecord(1)) + logLine(stepRecord(2)))
    try log.append(stepRecord(4))
    #expect(log.records.map(\.step) == [2, 4])
    #expect(try folder.text("log.jsonl") == [1, 2, 4].map { logLine(stepRecord($0)) }.joined())
}
