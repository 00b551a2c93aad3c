/// The name of a file or a folder as the system has it: any bytes but zero, which need not be UTF-8.
///
/// Two paths are equal where their bytes are, and sort by their bytes, as Python's `sorted(os.listdir(b"…"))` does. The
/// two Unicode forms of "é", one character or a letter and an accent, are two names; two Swift strings of them are
/// equal, so strings never serve as keys of files.
///
/// The description is the one text form of a path: in messages, logs and JSON, in the arguments once they are read, and
/// in settings files. It is UTF-8 and holds no character that ends a line or that a terminal acts on, and `Path(text)`
/// gives the same bytes back:
///
/// - `\xNN`, two hexadecimal digits (written in lowercase), stands for one byte. Written so are the bytes that are not
///   UTF-8, as Python's `backslashreplace` writes them, and those of control characters, of the line and paragraph
///   separators, of the characters that change the direction of writing, and of combining marks that follow no letter:
///   a mark behind the slash, comma or equals sign would make another character of it.
/// - A backslash that would be read so, because `x` and two hexadecimal digits follow it, is `\x5c`. Every other
///   backslash and every other character stands for itself.
///
/// Where a name in this package is a `String`, it is this text form: two of them joined by a slash are the text form of
/// the whole.
public struct Path: Hashable, Comparable, Sendable, LosslessStringConvertible, ExpressibleByStringLiteral {
    /// Without the zero that ends it for the system.
    public let bytes: [UInt8]

    public init(bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

    /// Reads the text form; every text is one.
    public init(_ description: String) { bytes = PathText.bytes(of: description) }

    public init(stringLiteral text: String) { self.init(text) }

    public var description: String { PathText.text(of: bytes) }

    public static func < (first: Path, second: Path) -> Bool { first.bytes.lexicographicallyPrecedes(second.bytes) }
}

extension Path {
    private static let slash = UInt8(ascii: "/")
    private static let dot = UInt8(ascii: ".")

    public var isAbsolute: Bool { bytes.first == Self.slash }

    /// Whether it can name nothing but a folder.
    public var endsInSlash: Bool { bytes.last == Self.slash }

    /// What lies between slashes, empty ones left out.
    public var components: [Path] { bytes.split(separator: Self.slash).map { Path(bytes: $0) } }

    /// The last component; empty where there is none.
    public var name: Path {
        let end = bytes.lastIndex { $0 != Self.slash } ?? -1
        return Path(bytes: bytes[...end].suffix(while: { $0 != Self.slash }))
    }

    /// The name without its last ending: "b" of "a/b.jpg", all of ".hidden".
    public var stem: Path {
        let name = name.bytes
        guard let dot = name.lastIndex(of: Self.dot), dot > 0, dot + 1 < name.count else { return Path(bytes: name) }
        return Path(bytes: name[..<dot])
    }

    /// The folder that the path lies in as it is written, with a slash at its end: "a/" of "a/b.jpg", "./" of "b.jpg".
    public var folder: Path {
        guard let slash = bytes.lastIndex(of: Self.slash) else { return "./" }
        return Path(bytes: bytes[...slash])
    }

    /// Of what has that name in this folder.
    public func appending(_ name: Path) -> Path {
        Path(bytes: bytes + (bytes.isEmpty || endsInSlash ? [] : [Self.slash]) + name.bytes)
    }

    /// The components, one below the other, after the root where that is asked for.
    public static func joined(_ components: some Sequence<Path>, isAbsolute: Bool) -> Path {
        Path(bytes: (isAbsolute ? [slash] : []) + components.map(\.bytes).joined(separator: [slash]))
    }

    /// - Parameter text: ASCII.
    public func hasPrefix(_ text: StaticString) -> Bool { bytes.starts(with: Self.bytes(text)) }

    /// Whether the name ends so; large and small letters of ASCII count as one where that is asked for.
    ///
    /// - Parameter text: ASCII, without large letters.
    public func hasSuffix(_ text: StaticString, ignoringCase: Bool = false) -> Bool {
        let end = bytes.suffix(text.utf8CodeUnitCount)
        return (ignoringCase ? end.map(Self.lowercased) : Array(end)) == Self.bytes(text)
    }

    private static func bytes(_ text: StaticString) -> [UInt8] { text.withUTF8Buffer { Array($0) } }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}

extension [UInt8].SubSequence {
    /// The longest end of which all elements are so.
    fileprivate func suffix(while isIncluded: (UInt8) -> Bool) -> [UInt8].SubSequence {
        self[(lastIndex { !isIncluded($0) }.map { $0 + 1 } ?? startIndex)...]
    }
}
