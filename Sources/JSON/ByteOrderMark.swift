/// The byte order mark that a text begins with: U+FEFF in the text's own encoding (Unicode 16.0, 23.8). Editors on
/// Windows write one before UTF-8, and PowerShell writes UTF-16.
public enum ByteOrderMark: Sendable, CaseIterable {
    // UTF-32's before UTF-16's: in little-endian order it begins with the bytes of the other.
    case utf8, utf32LittleEndian, utf32BigEndian, utf16LittleEndian, utf16BigEndian

    /// The mark at the start of `text`; `nil`: there is none.
    public init?(startOf text: some Collection<UInt8>) {
        guard let mark = Self.allCases.first(where: { text.starts(with: $0.bytes) }) else { return nil }
        self = mark
    }

    public var bytes: [UInt8] {
        switch self {
        case .utf8: [0xEF, 0xBB, 0xBF]
        case .utf32LittleEndian: [0xFF, 0xFE, 0x00, 0x00]
        case .utf32BigEndian: [0x00, 0x00, 0xFE, 0xFF]
        case .utf16LittleEndian: [0xFF, 0xFE]
        case .utf16BigEndian: [0xFE, 0xFF]
        }
    }

    /// What is wrong with a text that begins so; `nil` for UTF-8's mark, which is skipped.
    public var refusal: String? {
        switch self {
        case .utf8: nil
        case .utf32LittleEndian: Self.refusal("UTF-32LE (FF FE 00 00)")
        case .utf32BigEndian: Self.refusal("UTF-32BE (00 00 FE FF)")
        case .utf16LittleEndian: Self.refusal("UTF-16LE (FF FE)")
        case .utf16BigEndian: Self.refusal("UTF-16BE (FE FF)")
        }
    }

    private static func refusal(_ encoding: String) -> String {
        "the text begins with the byte order mark of \(encoding), expected UTF-8"
    }
}
