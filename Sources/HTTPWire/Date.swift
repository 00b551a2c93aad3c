/// The value of a `Date` field: `Tue, 15 Nov 1994 08:12:31 GMT` (IMF-fixdate, RFC 9110 5.6.7).
public struct HTTPDate: Sendable, Equatable {
    public let text: String

    /// - Parameter unixSeconds: since 1970-01-01 UTC; years 0...9999 are written with four digits.
    public init(unixSeconds: Int64) {
        let days = Self.floorDivide(unixSeconds, 86_400)
        let second = unixSeconds - days * 86_400
        let (year, month, day) = Self.civil(days)
        let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][Int(days - Self.floorDivide(days, 7) * 7)]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        let time = [second / 3600, second / 60 % 60, second % 60].map { Self.padded($0, 2) }.joined(separator: ":")
        text = "\(weekday), \(Self.padded(day, 2)) \(months[month - 1]) \(Self.padded(year, 4)) \(time) GMT"
    }

    /// Year, month and day of a day number, proleptic Gregorian (H. Hinnant, "chrono-compatible low-level date
    /// algorithms": eras of 400 years that begin on 1 March).
    private static func civil(_ days: Int64) -> (year: Int64, month: Int, day: Int64) {
        let shifted = days + 719_468
        let era = floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = Int(shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9)
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        value >= 0 ? value / divisor : (value + 1) / divisor - 1
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}

/// When something happened: on a monotonic clock, for time-outs, and on the wall, for the `Date` field.
public struct HTTPMoment: Sendable {
    /// Since an origin of the caller's choice that stays the same.
    public var monotonic: Duration
    public var date: HTTPDate

    public init(monotonic: Duration, date: HTTPDate) {
        self.monotonic = monotonic
        self.date = date
    }
}
