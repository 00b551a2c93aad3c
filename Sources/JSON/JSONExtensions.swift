/// What a text may have beyond RFC 8259's grammar.
public struct JSONExtensions: OptionSet, Sendable {
    public let rawValue: UInt8

    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// UTF-8's byte order mark at the start, which is skipped (RFC 8259, 8.1, allows a parser to).
    public static let byteOrderMark = JSONExtensions(rawValue: 1)
    /// `NaN`, `Infinity` and `-Infinity`, and numbers beyond the range of a double, which are read as infinities: as
    /// Python's `json` writes and reads them.
    public static let nonFiniteNumbers = JSONExtensions(rawValue: 2)
}
