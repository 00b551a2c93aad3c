/// The header of an array file: a dictionary as Python 2 and 3 write it, with just these members, each once, in any
/// order. What NumPy refuses is refused here: a file that only one of the two reads is no file to keep. Not read,
/// though NumPy does: a member twice, comments, escapes in a text, texts in pieces, sizes in any form but decimal
/// digits.
struct NpyHeader {
    /// NumPy's name of the elements' type.
    let descr: String
    let isFortranOrder: Bool
    let shape: [Int]

    private enum Value {
        case text(String)
        case bool(Bool)
        case sizes([Int])
    }

    private static let names = ["descr", "fortran_order", "shape"]

    /// - Parameter version: the file's; up to 2 a number may end in Python 2's `L`.
    init(_ text: String, version: UInt8) throws(FormatError) {
        var reader = LiteralReader(text, hasLongs: version <= 2)
        var members: [String: Value] = [:]
        try reader.take("{")
        while !reader.skip("}") {
            let name = try reader.string("the name of a member")
            guard Self.names.contains(name) else {
                throw Npy.bad("its header has '\(shortened(name))', expected 'descr', 'fortran_order' and 'shape' only")
            }
            try reader.take(":")
            let value = try Self.value(of: name, &reader)
            guard members.updateValue(value, forKey: name) == nil else {
                throw Npy.bad("its header has '\(name)' twice")
            }
            guard reader.skip(",") else {
                try reader.take("}")
                break
            }
        }
        try reader.end()
        guard case .text(let descr)? = members["descr"] else { throw Npy.bad("its header has no 'descr'") }
        guard case .bool(let order)? = members["fortran_order"] else {
            throw Npy.bad("its header has no 'fortran_order'")
        }
        guard case .sizes(let shape)? = members["shape"] else { throw Npy.bad("its header has no 'shape'") }
        (self.descr, isFortranOrder, self.shape) = (descr, order, shape)
    }

    private static func value(of name: String, _ reader: inout LiteralReader) throws(FormatError) -> Value {
        switch name {
        case "descr": return .text(try reader.string("a simple 'descr', the name of a type"))
        case "shape": return .sizes(try sizes(&reader))
        default:
            if reader.skip("True") { return .bool(true) }
            if reader.skip("False") { return .bool(false) }
            throw reader.unexpected("True or False as 'fortran_order'")
        }
    }

    /// A tuple; that of one size has a comma behind it, or it would be a number in parentheses.
    private static func sizes(_ reader: inout LiteralReader) throws(FormatError) -> [Int] {
        guard reader.skip("(") else { throw reader.unexpected("a tuple as 'shape'") }
        var sizes: [Int] = []
        while !reader.skip(")") {
            sizes.append(try reader.size())
            guard reader.skip(",") else {
                guard sizes.count > 1 else { throw reader.unexpected("',' behind the only size of 'shape'") }
                try reader.take(")")
                break
            }
        }
        return sizes
    }
}

/// Goes over a literal of Python's, word by word.
private struct LiteralReader {
    private let text: [Unicode.Scalar]
    /// Whether a number may end in `L`.
    private let hasLongs: Bool
    private var position = 0

    init(_ text: String, hasLongs: Bool) {
        self.text = Array(text.unicodeScalars)
        self.hasLongs = hasLongs
    }

    private mutating func skipSpace() {
        while position < text.count, " \t\r\n\u{C}".unicodeScalars.contains(text[position]) { position += 1 }
    }

    /// Whether `word` came next; it is passed over then.
    mutating func skip(_ word: String) -> Bool {
        skipSpace()
        guard text[position...].starts(with: word.unicodeScalars) else { return false }
        position += word.unicodeScalars.count
        return true
    }

    mutating func take(_ word: String) throws(FormatError) {
        guard skip(word) else { throw unexpected("'\(word)'") }
    }

    /// A text in quotes of either kind, behind a `u` or not, without escapes, which neither names nor types have.
    mutating func string(_ expected: String) throws(FormatError) -> String {
        skipSpace()
        let quote = position + 1
        if quote < text.count, "uU".unicodeScalars.contains(text[position]), "'\"".unicodeScalars.contains(text[quote])
        {
            position = quote
        }
        guard position < text.count, text[position] == "'" || text[position] == "\"",
            let end = text[(position + 1)...].firstIndex(of: text[position])
        else { throw unexpected(expected) }
        let scalars = text[(position + 1)..<end]
        guard !scalars.contains("\\") else { throw unexpected("\(expected), without a backslash") }
        position = end + 1
        var string = String.UnicodeScalarView()
        string.append(contentsOf: scalars)
        return String(string)
    }

    mutating func size() throws(FormatError) -> Int {
        skipSpace()
        let digits = text[position...].prefix { ("0"..."9").contains($0) }
        guard let size = Int(String(String.UnicodeScalarView(digits))), digits.count == 1 || digits.first != "0" else {
            throw unexpected("a size in 'shape'")
        }
        position += digits.count
        if hasLongs { _ = skip("L") }
        return size
    }

    mutating func end() throws(FormatError) {
        skipSpace()
        guard position == text.count else { throw unexpected("its end") }
    }

    func unexpected(_ expected: String) -> FormatError {
        let rest = text[position...].prefix(20)
        let found = rest.isEmpty ? "the end" : "'\(String(String.UnicodeScalarView(rest)))'"
        return Npy.bad("its header at character \(position): found \(found), expected \(expected)")
    }
}
