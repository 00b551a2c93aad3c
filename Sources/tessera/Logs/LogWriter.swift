import Dispatch
import Foundation
import Glibc
import Synchronization

/// Writes lines on a thread of its own, so that a reader that stalls delays no request. Lines for which there is no
/// room meanwhile are dropped, and a later line gives their number.
///
/// Lines are gathered for some milliseconds and written together: under load a change of threads and a system call for
/// each would cost more than to make a refusal.
final class LogWriter: Sendable {
    private enum Entry {
        case line(LogLine)
        /// Signalled when all before it is written.
        case mark(DispatchSemaphore)
    }

    private struct State {
        var entries: [Entry] = []
        var lines = 0
        var dropped = 0
    }

    private let format: LogFormat
    private let capacity: Int
    private let write: @Sendable ([UInt8]) -> Bool
    private let state = Mutex(State())
    private let wake = DispatchSemaphore(value: 0)
    /// Ends the gathering.
    private let flushRequested = DispatchSemaphore(value: 0)

    /// Between two writes: how long a line may wait for others.
    private static let gathering = Duration.milliseconds(20)

    /// - Parameters:
    ///   - capacity: lines that wait at most.
    ///   - write: takes one or more whole lines, and may block; false: they are lost.
    init(_ format: LogFormat, capacity: Int = 4096, write: @escaping @Sendable ([UInt8]) -> Bool) {
        self.format = format
        self.capacity = capacity
        self.write = write
        let thread = Thread { self.run() }
        thread.name = "log"
        thread.start()
    }

    /// Never blocks.
    func add(_ line: LogLine) {
        let (isFirst, isMuch) = state.withLock { state in
            guard state.lines < capacity else {
                state.dropped += 1
                return (false, false)
            }
            state.entries.append(.line(line))
            state.lines += 1
            return (state.entries.count == 1, state.lines == capacity / 2)
        }
        if isFirst { wake.signal() }
        if isMuch { flushRequested.signal() }
    }

    /// Waits until what has been added is written, for a bounded time.
    @discardableResult func flush(within seconds: Double) -> Bool {
        let mark = DispatchSemaphore(value: 0)
        state.withLock { $0.entries.append(.mark(mark)) }
        flushRequested.signal()
        wake.signal()
        return mark.wait(timeout: .now() + seconds) == .success
    }

    private func run() {
        var lost = 0
        var latest = ContinuousClock.now
        while true {
            wake.wait()
            // A line that comes after a pause is written at once.
            let rest = latest + Self.gathering - .now
            if rest > .zero { _ = flushRequested.wait(timeout: .now() + rest / .seconds(1)) }
            latest = .now
            let taken = state.withLock { state in
                defer { state = State() }
                return state
            }
            var marks: [DispatchSemaphore] = []
            var bytes: [UInt8] = []
            var count = 0
            func send() {
                if !bytes.isEmpty, !write(bytes) { lost += count }
                (bytes, count) = ([], 0)
            }
            for entry in taken.entries {
                switch entry {
                case .line(let line):
                    format.append(line, to: &bytes)
                    count += 1
                    if bytes.count >= 32 << 10 { send() }
                case .mark(let mark): marks.append(mark)
                }
            }
            send()
            lost += taken.dropped
            if lost > 0, write(format.bytes(of: LogLine(.warning, "\(lost) lines of this log were dropped"))) {
                lost = 0
            }
            marks.forEach { $0.signal() }
        }
    }
}

extension LogWriter {
    /// Writes all of `bytes`; blocks while the reader doesn't read.
    ///
    /// - Returns: whether all was written; false where the other end is closed.
    static func write(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 {
                rest = rest.dropFirst(count)
                continue
            }
            switch errno {
            case EINTR: continue
            case EAGAIN:
                var entry = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                _ = poll(&entry, 1, -1)
            default: return false
            }
        }
        return true
    }
}
