import Glibc

/// Describes how far work has come, as one line of text. Time is handed in; nothing here reads a clock.
package struct ProgressBar: Sendable {
    /// What is counted, for the rate: `images` gives `812 images/s`.
    private let unit: String
    private var last: (done: Int, now: Double)?
    // Work and seconds, each fading by 1/e every `memory` seconds: their quotient is the smoothed rate.
    private var recentWork = 0.0
    private var recentSeconds = 0.0

    private static let memory = 30.0
    private static let barWidths = 10...30

    package init(unit: String = "images") {
        self.unit = unit
    }

    /// `[=====>    ]  42.1%  loss 0.123  812 images/s  0:12:34 left`.
    ///
    /// Where that is too long, the bar goes first, then fields from the last one on.
    /// - Parameters:
    ///   - done: of `total`; the first call's count is where this session began.
    ///   - now: seconds on any steady clock.
    ///   - fields: names and values.
    ///   - width: columns; the line has at most that many characters.
    package mutating func line(
        done: Int, total: Int, now: Double, fields: [(String, String)] = [], width: Int
    ) -> String {
        note(done: done, now: now)
        let share = total > 0 ? min(max(Double(done) / Double(total), 0), 1) : 1
        // Rounded down: 100 % is for work that is done.
        let percent = NumberText.fixed((share * 1000).rounded(.down) / 10, digits: 1) + "%"
        let head = String(repeating: " ", count: max(0, 6 - percent.count)) + percent
        let tail = [rateText, "\(Self.duration(secondsLeft(done: done, total: total))) left"].compactMap(\.self)
        var words = fields.map { "\($0.0) \($0.1)" }
        while true {
            let text = ([head] + words + tail).joined(separator: "  ")
            let room = width - text.count - 3
            if room >= Self.barWidths.lowerBound {
                return "[\(Self.bar(share, width: min(room, Self.barWidths.upperBound)))] \(text)"
            }
            if text.count <= width || words.isEmpty { return String(text.prefix(max(width, 0))) }
            words.removeLast()
        }
    }

    /// Work a second, weighted towards the last half minute; `nil` before any time has passed.
    package var rate: Double? { recentSeconds > 0 ? recentWork / recentSeconds : nil }

    private mutating func note(done: Int, now: Double) {
        guard now.isFinite else { return }
        if let last, done >= last.done, now >= last.now {
            let seconds = now - last.now
            let fading = exp(-seconds / Self.memory)
            recentWork = recentWork * fading + (Double(done) - Double(last.done))
            recentSeconds = recentSeconds * fading + seconds
        }
        last = (done, now)
    }

    private var rateText: String? {
        rate.map { rate in
            "\(rate >= 99.95 ? NumberText.fixed(rate, digits: 0) : NumberText.significant(rate)) \(unit)/s"
        }
    }

    private func secondsLeft(done: Int, total: Int) -> Double? {
        if done >= total { return 0 }
        guard let rate, rate > 0 else { return nil }
        return (Double(total) - Double(done)) / rate
    }

    private static func bar(_ share: Double, width: Int) -> String {
        let full = Int(share * Double(width))
        guard full < width else { return String(repeating: "=", count: width) }
        return String(repeating: "=", count: full) + ">" + String(repeating: " ", count: width - full - 1)
    }

    /// `h:mm:ss`; dashes where it isn't known or is over a million hours.
    static func duration(_ seconds: Double?) -> String {
        guard let seconds, seconds >= 0, seconds < 3.6e9 else { return "-:--:--" }
        let whole = Int(seconds.rounded(.up))
        let twoDigits = { (number: Int) in number < 10 ? "0\(number)" : "\(number)" }
        return "\(whole / 3600):\(twoDigits(whole / 60 % 60)):\(twoDigits(whole % 60))"
    }
}

/// Decides what of a stream of progress lines is shown: on a terminal one line that is redrawn, elsewhere a line now
/// and then.
struct ProgressDisplay: Sendable {
    let terminal: Bool
    private var lastShown: Double?
    /// Characters of the line that stands on the terminal.
    private var standing = 0

    private static let terminalInterval = 0.1
    private static let lineInterval = 30.0

    init(terminal: Bool) {
        self.terminal = terminal
    }

    /// The text to write; `nil` where the last one was too short a time ago.
    /// - Parameter final: shown whatever the time, and the line then ends.
    mutating func text(_ line: String, now: Double, final: Bool = false) -> String? {
        let interval = terminal ? Self.terminalInterval : Self.lineInterval
        if let lastShown, !final, now - lastShown < interval { return nil }
        lastShown = now
        guard terminal else { return line + "\n" }
        let blanks = String(repeating: " ", count: max(0, standing - line.count))
        standing = final ? 0 : line.count
        return "\r" + line + blanks + (final ? "\n" : "")
    }

    /// A line of its own, in place of the one that stands.
    mutating func message(_ text: String) -> String {
        guard terminal, standing > 0 else { return text + "\n" }
        let blanks = String(repeating: " ", count: max(0, standing - text.count))
        standing = 0
        lastShown = nil
        return "\r" + text + blanks + "\n"
    }
}

/// Shows progress on standard error. What can't be written is left out: no work fails for its progress bar.
package struct ProgressWriter: Sendable {
    private var bar: ProgressBar
    private var display: ProgressDisplay
    private let descriptor: Int32

    package init(unit: String = "images") {
        self.init(unit: unit, descriptor: STDERR_FILENO)
    }

    init(unit: String, descriptor: Int32) {
        bar = ProgressBar(unit: unit)
        display = ProgressDisplay(terminal: isatty(descriptor) == 1)
        self.descriptor = descriptor
    }

    /// The smoothed rate, as `ProgressBar` has it.
    package var rate: Double? { bar.rate }

    /// Parameters as of `ProgressBar.line`; the last call of all is `final` and ends the line.
    package mutating func show(
        done: Int, total: Int, now: Double, fields: [(String, String)] = [], final: Bool = false
    ) {
        let line = bar.line(done: done, total: total, now: now, fields: fields, width: width)
        if let text = display.text(line, now: now, final: final) { write(text) }
    }

    /// One line above the bar, which the next `show` draws again.
    package mutating func message(_ text: String) { write(display.message(text)) }

    private var width: Int {
        guard display.terminal else { return 160 }
        var size = winsize()
        guard ioctl(descriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 1 else { return 79 }
        // A terminal may wrap after a character in its last column.
        return Int(size.ws_col) - 1
    }

    private func write(_ text: String) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count > 0 {
                rest = rest.dropFirst(count)
            } else if count == 0 || errno != EINTR {
                return
            }
        }
    }
}
