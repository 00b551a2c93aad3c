import Foundation
import FuzzTargets
import Testing

struct CorpusTests {
    private static let corpus = URL(filePath: #filePath).deletingLastPathComponent().appending(
        path: "../../Fuzz/Corpus")

    /// What fuzzing has found worth keeping, found faults included.
    @Test(arguments: FuzzTarget.allCases)
    func holds(_ target: FuzzTarget) throws {
        let folder = Self.corpus.appending(path: target.rawValue)
        let files = try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
        #expect(!files.isEmpty)
        for file in files {
            let bytes = Array(try Data(contentsOf: file))
            #expect(throws: Never.self, "\(file.lastPathComponent)") { try target.run(bytes) }
        }
    }

    /// Short inputs of every first byte, the empty one, and long ones of the same byte, which nest what can be nested.
    @Test(arguments: FuzzTarget.allCases)
    func holdsForPlainInputs(_ target: FuzzTarget) throws {
        for byte in UInt8.min...UInt8.max { try target.run([byte]) }
        try target.run([])
        for unit in ["[", "{", "(", "0", " ", "\n", "- ", "? ", "a: ", "\"", "\\"] {
            try target.run([UInt8](String(repeating: unit, count: 1 << 14).utf8))
        }
    }
}
