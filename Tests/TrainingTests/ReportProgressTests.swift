import Foundation
import Testing

@testable import Training

@Test func aLineHasBarPercentFieldsRateAndTimeLeft() {
    var bar = ProgressBar()
    #expect(
        bar.line(done: 0, total: 1000, now: 100, fields: [("loss", "0.9")], width: 80)
            == "[>                             ]   0.0%  loss 0.9  -:--:-- left")
    #expect(
        bar.line(done: 250, total: 1000, now: 102.5, fields: [("loss", "0.5"), ("codes", "97%")], width: 80)
            == "[=====>                ]  25.0%  loss 0.5  codes 97%  100 images/s  0:00:08 left")
    #expect(
        bar.line(done: 1000, total: 1000, now: 110, fields: [], width: 70)
            == "[==============================] 100.0%  100 images/s  0:00:00 left")
}

@Test(arguments: [
    (67, "[>         ]   1.1%  loss 0.5  codes 97%  12 images/s  0:01:23 left"),
    (66, "  1.1%  loss 0.5  codes 97%  12 images/s  0:01:23 left"),
    (45, "  1.1%  loss 0.5  12 images/s  0:01:23 left"),
    (34, "  1.1%  12 images/s  0:01:23 left"), (10, "  1.1%  12"), (0, ""), (-1, ""),
])
func narrowLinesLoseTheBarThenFields(width: Int, expected: String) {
    var bar = ProgressBar()
    let fields = [("loss", "0.5"), ("codes", "97%")]
    _ = bar.line(done: 0, total: 1008, now: 0, width: 80)
    let line = bar.line(done: 12, total: 1008, now: 1, fields: fields, width: width)
    #expect(line.count <= max(width, 0))
    #expect(line == expected)
}

@Test func aResumedRunCountsItsOwnRate() {
    var bar = ProgressBar(unit: "latents")
    _ = bar.line(done: 900_000, total: 1_000_000, now: 5, width: 80)
    let line = bar.line(done: 900_500, total: 1_000_000, now: 6, width: 60)
    #expect(line.hasSuffix("500 latents/s  0:03:19 left"))
}

@Test func theRateIsSmoothedAndFollowsAChange() throws {
    var bar = ProgressBar()
    #expect(bar.rate == nil)
    for second in 0...300 { _ = bar.line(done: second * 100, total: 1_000_000, now: Double(second), width: 80) }
    #expect(abs(try #require(bar.rate) - 100) < 1e-9)
    _ = bar.line(done: 30_000, total: 1_000_000, now: 301, width: 80)
    let slowed = try #require(bar.rate)
    #expect(slowed > 90 && slowed < 100)
    for second in 1...300 {
        _ = bar.line(done: 30_000 + second * 10, total: 1_000_000, now: 301 + Double(second), width: 80)
    }
    #expect(abs(try #require(bar.rate) - 10) < 0.1)
}

@Test func clocksAndCountsThatJumpBackAreTaken() throws {
    var bar = ProgressBar()
    _ = bar.line(done: 0, total: 100, now: 10, width: 80)
    _ = bar.line(done: 10, total: 100, now: 11, width: 80)
    for (done, now) in [(5, 12.0), (50, 3), (60, .nan), (60, .infinity), (50, 3)] {
        _ = bar.line(done: done, total: 100, now: now, width: 80)
    }
    #expect(try #require(bar.rate) == 10)
    #expect(bar.line(done: Int.min, total: Int.max, now: 4, width: 60).contains("  0.0%"))
    #expect(bar.line(done: Int.max, total: 1, now: 5, width: 60).contains("100.0%"))
    #expect(bar.line(done: 0, total: 0, now: 6, width: 60).contains("100.0%"))
}

@Test func percentIsRoundedDown() {
    var bar = ProgressBar()
    #expect(bar.line(done: 9999, total: 10000, now: 0, width: 60).contains(" 99.9%"))
}

@Test(arguments: [
    (0, "0:00:00"), (0.2, "0:00:01"), (59.5, "0:01:00"), (3599, "0:59:59"), (86_400, "24:00:00"),
    (360_000, "100:00:00"), (nil, "-:--:--"), (Double.infinity, "-:--:--"), (.nan, "-:--:--"), (-1, "-:--:--"),
])
func durations(seconds: Double?, text: String) {
    #expect(ProgressBar.duration(seconds) == text)
}

@Test func aTerminalsLineIsRedrawnInPlace() {
    var display = ProgressDisplay(terminal: true)
    #expect(display.text("long line", now: 0) == "\rlong line")
    #expect(display.text("skipped", now: 0.05) == nil)
    #expect(display.text("short", now: 0.1) == "\rshort    ")
    #expect(display.message("saved") == "\rsaved\n")
    #expect(display.text("again", now: 0.11) == "\ragain")
    #expect(display.message("it") == "\rit   \n")
    #expect(display.message("other") == "other\n")
    #expect(display.text("end", now: 0.12, final: true) == "\rend\n")
    #expect(display.text("next", now: 9) == "\rnext")
}

@Test func elsewhereALineAppearsEveryThirtySeconds() {
    var display = ProgressDisplay(terminal: false)
    let shown = (0...100).filter { display.text("line", now: 1000 + Double($0)) != nil }
    #expect(shown == [0, 30, 60, 90])
    #expect(display.message("saved") == "saved\n")
    #expect(display.text("line", now: 1101) == nil)
    #expect(display.text("line", now: 1101, final: true) == "line\n")
}

@Test func theWriterWritesWholeLinesToAFile() throws {
    let folder = try ReportFolder()
    let descriptor = open(folder.path("out"), O_WRONLY | O_CREAT, 0o600)
    defer { close(descriptor) }
    var writer = ProgressWriter(unit: "images", descriptor: descriptor)
    for second in 0...40 { writer.show(done: second, total: 80, now: Double(second), fields: [("loss", "1")]) }
    writer.message("saved")
    writer.show(done: 80, total: 80, now: 41, final: true)
    let lines = try folder.text("out").split(separator: "\n")
    #expect(lines.count == 4)
    #expect(lines[1].contains(" 37.5%  loss 1  1 images/s  0:00:50 left"))
    #expect(lines[2] == "saved")
    #expect(lines[3].contains("100.0%"))
    #expect(writer.rate != nil)
}

@Test func aClosedOutputIsIgnored() {
    var writer = ProgressWriter(unit: "images", descriptor: -1)
    writer.show(done: 1, total: 2, now: 0)
    #expect(writer.rate == nil)
}

@Test func theWriterFitsATerminalsWidth() throws {
    let terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY)
    try #require(terminal >= 0)
    defer { close(terminal) }
    // Linux's TIOCSPTLCK and TIOCGPTN (tty_ioctl(2)), which the C module doesn't export.
    var (lock, number) = (Int32(0), Int32(0))
    try #require(ioctl(terminal, 0x4004_5431, &lock) == 0 && ioctl(terminal, 0x8004_5430, &number) == 0)
    let name = "/dev/pts/\(number)"
    let descriptor = open(name, O_RDWR | O_NOCTTY)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    var size = winsize(ws_row: 24, ws_col: 51, ws_xpixel: 0, ws_ypixel: 0)
    try #require(ioctl(descriptor, UInt(TIOCSWINSZ), &size) == 0)
    var writer = ProgressWriter(unit: "images", descriptor: descriptor)
    writer.show(done: 5, total: 10, now: 0)
    var bytes = [UInt8](repeating: 0, count: 200)
    let count = read(terminal, &bytes, bytes.count)
    let line = "[=============>             ]  50.0%  -:--:-- left"
    #expect(line.count == 50)
    #expect(String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self) == "\r" + line)
}
