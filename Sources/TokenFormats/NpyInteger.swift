/// A type of integers, as `numpy.dtype` names it on 64-bit Linux.
struct NpyInteger: Equatable {
    let isBig: Bool
    let isSigned: Bool
    /// Of one value.
    let bytes: Int

    /// - Parameter name: what `descr` says, such as "<i4", "i4", "=q" or "int32"; `nil`: not the name of integers.
    init?(_ name: String) {
        let order = name.utf8.first ?? 0
        let isOrdered = "<>=|".utf8.contains(order)
        let code = isOrdered ? String(name.unicodeScalars.dropFirst()) : name
        guard let type = Self.codes[code] ?? (isOrdered ? nil : Self.words[code]) else { return nil }
        (isSigned, bytes) = type
        isBig = order == UInt8(ascii: ">")
    }

    /// Behind a byte order or without one.
    private static let codes: [String: (isSigned: Bool, bytes: Int)] = [
        "i1": (true, 1), "i2": (true, 2), "i4": (true, 4), "i8": (true, 8),
        "u1": (false, 1), "u2": (false, 2), "u4": (false, 4), "u8": (false, 8),
        // C's types: char, short, int, long, long long, and those of pointers and sizes.
        "b": (true, 1), "h": (true, 2), "i": (true, 4), "l": (true, 8), "q": (true, 8), "p": (true, 8), "n": (true, 8),
        "B": (false, 1), "H": (false, 2), "I": (false, 4), "L": (false, 8), "Q": (false, 8), "P": (false, 8),
        "N": (false, 8),
    ]

    /// Without a byte order only.
    private static let words: [String: (isSigned: Bool, bytes: Int)] = [
        "int8": (true, 1), "int16": (true, 2), "int32": (true, 4), "int64": (true, 8),
        "uint8": (false, 1), "uint16": (false, 2), "uint32": (false, 4), "uint64": (false, 8),
        "byte": (true, 1), "short": (true, 2), "intc": (true, 4), "long": (true, 8), "longlong": (true, 8),
        "ubyte": (false, 1), "ushort": (false, 2), "uintc": (false, 4), "ulong": (false, 8), "ulonglong": (false, 8),
        "int": (true, 8), "int_": (true, 8), "intp": (true, 8), "uint": (false, 8), "uintp": (false, 8),
    ]
}
