import Foundation
import Testing
import TokenService

/// `TokenService.version` is the version; the files that can't read it from there repeat it.
@Suite struct VersionTests {
    private static func lines(_ path: String) throws -> [String] {
        var root = URL(fileURLWithPath: #filePath)
        for _ in 0..<3 { root.deleteLastPathComponent() }
        return try String(contentsOf: root.appendingPathComponent(path), encoding: .utf8).components(separatedBy: "\n")
    }

    @Test(arguments: [("openapi.yaml", "version: "), ("deploy/kubernetes/kustomization.yaml", "newTag: ")])
    func filesNameThisVersion(path: String, key: String) throws {
        let values = try Self.lines(path).map { $0.drop { $0 == " " } }.filter { $0.hasPrefix(key) }
            .map { String($0.dropFirst(key.count)) }.filter { $0.first?.isNumber == true }
        #expect(!values.isEmpty)
        #expect(values.filter { $0 != TokenService.version }.isEmpty, "\(path): \(values)")
    }

    @Test func theChangelogBeginsWithThisVersion() throws {
        let heading = try #require(try Self.lines("CHANGELOG.md").first { $0.hasPrefix("## ") })
        #expect(heading.hasPrefix("## \(TokenService.version), 20"))
    }
}
