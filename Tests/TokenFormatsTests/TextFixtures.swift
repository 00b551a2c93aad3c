import Foundation
import JSON
import Testing

/// `Fixtures/texts.json`: what `make_texts.py` had NumPy and Python make of files and texts.
enum TextFixtures {
    static let all: JSONValue = {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        let bytes = try? Data(contentsOf: folder.appendingPathComponent("Fixtures/texts.json"))
        return bytes.flatMap { try? JSONValue.parse([UInt8]($0)) } ?? .null
    }()

    /// An .npy file, and what `numpy.load` makes of it.
    struct Array: Sendable, CustomTestStringConvertible {
        let name: String
        let file: [UInt8]
        /// `nil`: NumPy refuses it, or reads something else than integers.
        let shape: [Int]?
        let values: [Int64]?

        init?(_ row: JSONValue) {
            guard let name = row["name"]?.stringValue, let text = row["file"]?.stringValue,
                let data = Data(base64Encoded: text)
            else { return nil }
            var file = [UInt8](data)
            if let spaces = row["spaces"]?.arrayValue?.compactMap(\.intValue), spaces.count == 2 {
                file.insert(contentsOf: repeatElement(0x20, count: spaces[1]), at: spaces[0])
            }
            (self.name, self.file) = (name, file)
            shape = row["shape"]?.arrayValue?.compactMap(\.intValue)
            values = row["values"]?.arrayValue?.compactMap { $0.intValue.map(Int64.init) }
        }

        var testDescription: String { name }
    }

    static func arrays(_ name: String) -> [Array] {
        (all["npy"]?[name]?.arrayValue ?? []).compactMap(Array.init)
    }

    /// A text, and what Python's base64 makes of it, or where RFC 4648 says that it is wrong.
    struct Base64Text: Sendable, CustomTestStringConvertible {
        let text: String
        let bytes: [UInt8]?
        /// Of the first wrong character; `nil`: of none.
        let place: Int?
        let character: Unicode.Scalar?

        init?(_ row: JSONValue) {
            guard let text = row["text"]?.stringValue else { return nil }
            self.text = text
            bytes = row["bytes"]?.arrayValue?.compactMap { $0.intValue.map { UInt8($0) } }
            place = row["place"]?.intValue
            character = row["character"]?.stringValue?.unicodeScalars.first
        }

        var testDescription: String { "\(text.unicodeScalars.map { $0.escaped(asASCII: true) }.joined())" }
    }

    static let base64 = (all["base64"]?.arrayValue ?? []).compactMap(Base64Text.init)
}
