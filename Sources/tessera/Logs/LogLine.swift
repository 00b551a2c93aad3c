import Glibc
import JSON
import Logging

/// One line of the log, before it is text.
struct LogLine: Sendable {
    /// Of the wall clock.
    let time: timespec
    let level: Logger.Level
    let message: String
    var metadata: Logger.Metadata = [:]

    init(_ level: Logger.Level, _ message: String, metadata: Logger.Metadata = [:], time: timespec? = nil) {
        var now = timespec()
        if time == nil { clock_gettime(CLOCK_REALTIME, &now) }
        self.time = time ?? now
        self.level = level
        self.message = message
        self.metadata = metadata
    }
}

/// How lines are written. Control characters are escaped, so that text of a client can't begin a new line.
enum LogFormat: String, CaseIterable, Sendable {
    /// `2026-01-31T12:00:00.000Z info message key=value`.
    case text
    /// `{"time","level","message"}` and the metadata beside them.
    case json

    /// With the line feed at its end.
    func bytes(of line: LogLine) -> [UInt8] {
        var bytes: [UInt8] = []
        append(line, to: &bytes)
        return bytes
    }

    /// With the line feed at its end.
    func append(_ line: LogLine, to bytes: inout [UInt8]) {
        let time = Self.timestamp(line.time)
        let metadata = line.metadata.sorted { $0.key < $1.key }
        switch self {
        case .text:
            bytes.append(contentsOf: "\(time) \(line.level.rawValue) ".utf8)
            bytes.append(contentsOf: Self.escaped(line.message).utf8)
            for (key, value) in metadata {
                bytes.append(UInt8(ascii: " "))
                Self.append(word: key, to: &bytes)
                bytes.append(UInt8(ascii: "="))
                Self.append(word: value.description, to: &bytes)
            }
        case .json:
            var object = JSONObject([
                ("time", .string(time)), ("level", .string(line.level.rawValue)), ("message", .string(line.message)),
            ])
            for (key, value) in metadata where object[key] == nil { object[key] = Self.json(value) }
            bytes.append(contentsOf: JSONValue.object(object).write())
        }
        bytes.append(UInt8(ascii: "\n"))
    }

    private static func json(_ value: Logger.MetadataValue) -> JSONValue {
        switch value {
        case .string(let text): return .string(text)
        // Numbers and truth values keep their type.
        case .stringConvertible(let number as any BinaryInteger): return JSONValue(number)
        case .stringConvertible(let number as Float): return JSONValue(number)
        case .stringConvertible(let number as Double): return .number(number)
        case .stringConvertible(let value as Bool): return .bool(value)
        case .stringConvertible(let other): return .string(other.description)
        case .array(let elements): return .array(elements.map(json))
        case .dictionary(let members):
            return .object(JSONObject(members.sorted { $0.key < $1.key }.map { ($0.key, json($0.value)) }))
        }
    }

    /// Unchanged where it holds only plain characters, else in quotes.
    private static func append(word text: String, to bytes: inout [UInt8]) {
        let isPlain = !text.isEmpty && text.utf8.allSatisfy(isPlain)
        bytes.append(contentsOf: (isPlain ? text : "\"\(escaped(text, quotes: true))\"").utf8)
    }

    private static func isPlain(_ byte: UInt8) -> Bool {
        byte > 0x20 && byte < 0x7F && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "=")
            && byte != UInt8(ascii: "\\")
    }

    private static func escaped(_ text: String, quotes: Bool = false) -> String {
        if text.utf8.allSatisfy({ isPlain($0) || $0 == 0x20 }) { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            switch (scalar, scalar.properties.generalCategory) {
            case ("\n", _): result += "\\n"
            case ("\r", _): result += "\\r"
            case ("\t", _): result += "\\t"
            case ("\\", _): result += "\\\\"
            case ("\"", _) where quotes: result += "\\\""
            // Format characters too: they can turn the direction in which a terminal writes.
            case (_, .control), (_, .format), (_, .lineSeparator), (_, .paragraphSeparator):
                result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    /// RFC 3339 in UTC, to the millisecond.
    private static func timestamp(_ time: timespec) -> String {
        var seconds = time.tv_sec
        var parts = tm()
        gmtime_r(&seconds, &parts)
        let fields: [(value: Int, digits: Int, end: UInt8)] = [
            (Int(parts.tm_year) + 1900, 4, UInt8(ascii: "-")), (Int(parts.tm_mon) + 1, 2, UInt8(ascii: "-")),
            (Int(parts.tm_mday), 2, UInt8(ascii: "T")), (Int(parts.tm_hour), 2, UInt8(ascii: ":")),
            (Int(parts.tm_min), 2, UInt8(ascii: ":")), (Int(parts.tm_sec), 2, UInt8(ascii: ".")),
            (time.tv_nsec / 1_000_000, 3, UInt8(ascii: "Z")),
        ]
        return String(unsafeUninitializedCapacity: 24) { text in
            var end = 0
            for field in fields {
                var rest = field.value
                for index in (end..<end + field.digits).reversed() {
                    text[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                    rest /= 10
                }
                text[end + field.digits] = field.end
                end += field.digits + 1
            }
            return end
        }
    }
}
