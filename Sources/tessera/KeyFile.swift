import FilePaths
import Foundation

/// Reads API keys from a file and the environment. Errors never contain a key.
enum KeyFile {
    /// A comma-separated list of keys, beside those of the file.
    static let variable = "TESSERA_API_KEYS"
    /// Bytes of a file that is a pipe.
    private static let sizeLimit = 1 << 20
    /// Bytes of a key.
    static let lengths = 16...512

    /// The keys of the file and of the environment; `nil` where neither was given: no key is needed then.
    static func keys(file: String?, environment: [String: String]) throws -> [String]? {
        let listed = environment[variable] ?? ""
        guard file != nil || !listed.isEmpty else { return nil }
        var keys: [String] = []
        if let file {
            keys += try parse(String(decoding: Files.text(Path(file), limit: sizeLimit), as: UTF8.self), from: file)
        }
        if !listed.isEmpty { keys += try parse(list: listed) }
        return keys
    }

    /// One key a line; empty lines and those that begin with `#` don't count.
    ///
    /// - Throws: where there is no key, or one that can't be used.
    static func parse(_ text: String, from path: String) throws(CommandFailure) -> [String] {
        var keys: [String] = []
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let key = line.trimmingCharacters(in: .whitespaces)
            guard !key.isEmpty, !key.hasPrefix("#") else { continue }
            try check(key, place: "\(path), line \(index + 1)")
            keys.append(key)
        }
        guard !keys.isEmpty else { throw CommandFailure("\(path): there is no key in it; expected one a line") }
        return keys
    }

    static func parse(list text: String) throws(CommandFailure) -> [String] {
        let keys = text.split(separator: ",", omittingEmptySubsequences: false)
            .map { $0.trimmingCharacters(in: .whitespaces) }
        for (index, key) in keys.enumerated() { try check(key, place: "\(variable), key \(index + 1)") }
        return keys
    }

    private static func check(_ key: String, place: String) throws(CommandFailure) {
        guard key.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw CommandFailure("\(place): the key has a space or another character than visible ASCII ones")
        }
        guard lengths.contains(key.utf8.count) else {
            throw CommandFailure(
                "\(place): the key has \(key.utf8.count) characters, expected \(lengths.lowerBound) to "
                    + "\(lengths.upperBound)")
        }
    }
}
