import Dispatch
import Foundation
import JSON
import Logging
import Patience
import Synchronization
import Testing

@testable import tessera

/// How lines are written.
struct LogFormatTests {
    /// 2026-01-31T12:00:01.002Z
    static let time = timespec(tv_sec: 1_769_860_801, tv_nsec: 2_999_999)

    private func text(_ format: LogFormat, _ message: String, _ metadata: Logger.Metadata = [:]) -> String {
        String(decoding: format.bytes(of: LogLine(.info, message, metadata: metadata, time: Self.time)), as: UTF8.self)
    }

    @Test func textIsPlain() {
        let metadata: Logger.Metadata = [
            "b": "two words", "a": .stringConvertible(1.5), "c": "", "d": "q\"b\\s", "e": "x=y",
        ]
        #expect(
            text(.text, "it is", metadata)
                == "2026-01-31T12:00:01.002Z info it is a=1.5 b=\"two words\" c=\"\" d=\"q\\\"b\\\\s\" e=\"x=y\"\n")
    }

    @Test func jsonHasTypes() {
        let metadata: Logger.Metadata = [
            "status": .stringConvertible(200), "ms": .stringConvertible(1.5), "id": "7", "list": ["a", ["b": "c"]],
            "message": "not this", "time": "nor this",
        ]
        #expect(
            text(.json, "it is", metadata)
                == #"{"time":"2026-01-31T12:00:01.002Z","level":"info","message":"it is","id":"7","#
                + #""list":["a",{"b":"c"}],"ms":1.5,"status":200}"# + "\n")
    }

    @Test(
        arguments: [
            (.stringConvertible(Int8(-1)), "-1"), (.stringConvertible(UInt64.max), "1.8446744073709552e+19"),
            (.stringConvertible(UInt32(7)), "7"), (.stringConvertible(Float(0.1)), "0.1"),
            (.stringConvertible(2.0), "2.0"), (.stringConvertible(true), "true"),
            (.stringConvertible(Int64.max), "9223372036854775807"),
            ("200", "\"200\""), ("\(200)", "\"200\""), (.array([.stringConvertible(1), "1"]), "[1,\"1\"]"),
            (.dictionary(["a": .stringConvertible(1.5)]), "{\"a\":1.5}"),
            (.stringConvertible(Duration.seconds(1)), "\"1.0 seconds\""),
        ] as [(Logger.MetadataValue, String)])
    func numbersStayNumbers(value: Logger.MetadataValue, expected: String) {
        #expect(text(.json, "m", ["x": value]).hasSuffix(",\"x\":\(expected)}\n"))
    }

    /// Text of a client can't begin a new line.
    @Test(arguments: [
        "a\nb", "a\r\nb", "\u{1B}[31m", "\u{0}", "\u{7F}", "\u{85}", "\u{9B}31m", "\u{2028}", "\u{2029}", "\u{202E}x",
        "\u{200B}", "\u{FEFF}", "x\ty", "\" status=200", "\\n", "\n2026-01-31T12:00:01.002Z info forged",
    ])
    func controlCharactersAreEscaped(attack: String) throws {
        for format in LogFormat.allCases {
            let line = text(format, attack, ["path": .string(attack), "\(attack)": "x"])
            #expect(line.hasSuffix("\n") && line.utf8.count { $0 == 0x0A } == 1)
            #expect(!line.utf8.dropLast().contains { $0 < 0x20 })
            if format == .json {
                let value = try JSONValue.parse(Array(line.utf8))
                #expect(value["message"]?.stringValue == attack && value["path"]?.stringValue == attack)
            } else {
                let bare = line.unicodeScalars.dropLast()
                #expect(!bare.contains { [.control, .format].contains($0.properties.generalCategory) })
                #expect(!bare.contains("\u{2028}") && !bare.contains("\u{2029}"))
            }
        }
    }
}

/// The thread that writes.
@Suite(.timeLimit(.minutes(5))) struct LogWriterTests {
    /// A reader that can be made to stall.
    final class Sink: Sendable {
        private let state = Mutex<[UInt8]>([])
        let door = DispatchSemaphore(value: 0)
        let arrived = DispatchSemaphore(value: 0)
        let isThere = Atomic(true)

        var lines: [String] {
            state.withLock { String(decoding: $0, as: UTF8.self) }.split(separator: "\n").map { line in
                line.split(separator: " ", maxSplits: 2).last.map(String.init) ?? ""
            }
        }

        func take(_ bytes: [UInt8]) -> Bool {
            guard isThere.load(ordering: .relaxed) else { return false }
            state.withLock { $0 += bytes }
            return true
        }

        func takeWhenOpen(_ bytes: [UInt8]) -> Bool {
            arrived.signal()
            _ = door.comes()
            return take(bytes)
        }
    }

    @Test func linesComeInOrder() {
        let sink = Sink()
        let writer = LogWriter(.text) { sink.take($0) }
        for number in 0..<1000 { writer.add(LogLine(.info, "\(number)")) }
        #expect(writer.flush(within: 20))
        #expect(sink.lines == (0..<1000).map { "\($0)" })
    }

    @Test func linesThatAStalledReaderLosesAreCounted() throws {
        let sink = Sink()
        let writer = LogWriter(.text, capacity: 10) { sink.takeWhenOpen($0) }
        writer.add(LogLine(.info, "first"))
        try #require(sink.arrived.comes())
        // The writer is blocked: ten lines wait, the others are dropped.
        for number in 0..<25 { writer.add(LogLine(.info, "\(number)")) }
        #expect(!writer.flush(within: 0.01))
        #expect(sink.lines.isEmpty)
        for _ in 0..<3 { sink.door.signal() }
        #expect(writer.flush(within: 20))
        #expect(sink.lines == ["first"] + (0..<10).map { "\($0)" } + ["15 lines of this log were dropped"])
    }

    @Test func aClosedReaderIsTolerated() {
        let sink = Sink()
        let writer = LogWriter(.text) { sink.take($0) }
        sink.isThere.store(false, ordering: .relaxed)
        writer.add(LogLine(.info, "lost"))
        #expect(writer.flush(within: 20))
        sink.isThere.store(true, ordering: .relaxed)
        writer.add(LogLine(.info, "kept"))
        #expect(writer.flush(within: 20))
        // Either, depending on which line the writer's thread takes first.
        #expect(Set(sink.lines) == ["kept", "1 lines of this log were dropped"] && sink.lines.count == 2)
    }
}
