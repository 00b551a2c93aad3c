import Models
import Testing

@testable import tessera

/// Where the model comes from where none is named.
struct DefaultModelTests {
    static let built = "/b/release/Tessera_tessera.resources/revq-mini"
    static let installed = "/usr/local/share/tessera/revq-mini"

    struct Lookup: Sendable {
        var environment: [String: String] = [:]
        var executable: String?
        var folders: Set<String> = []
        let expected: ModelSource

        func callAsFunction() throws -> ModelSource {
            try DefaultModel.source(
                environment: environment, executable: executable, exists: folders.contains, expected: "--model FOLDER")
        }
    }

    static let lookups: [Lookup] = [
        Lookup(
            executable: "/b/release/tessera", folders: [built], expected: ModelSource(id: "revq-mini", folder: built)),
        Lookup(
            executable: "/usr/local/bin/tessera", folders: [installed],
            expected: ModelSource(id: "revq-mini", folder: installed)),
        Lookup(
            executable: "/b/release/tessera", folders: [built, "/b/share/tessera/revq-mini"],
            expected: ModelSource(id: "revq-mini", folder: built)),
        Lookup(
            executable: "/tessera", folders: ["/share/tessera/revq-mini"],
            expected: ModelSource(id: "revq-mini", folder: "/share/tessera/revq-mini")),
        Lookup(
            executable: "/a b/ü%20/bin/tessera (deleted)", folders: ["/a b/ü%20/share/tessera/revq-mini"],
            expected: ModelSource(id: "revq-mini", folder: "/a b/ü%20/share/tessera/revq-mini")),
        // The variable wins, and the folder it names isn't replaced where it is missing.
        Lookup(
            environment: ["TESSERA_MODEL": "/m/sftok-b"], executable: "/b/release/tessera", folders: [built],
            expected: ModelSource(id: "sftok-b", folder: "/m/sftok-b")),
        Lookup(
            environment: ["TESSERA_MODEL": "r=m,vae=/v"], expected: ModelSource(id: "r", folder: "m", vae: "/v")),
        Lookup(
            environment: ["TESSERA_MODEL": ""], executable: "/b/release/tessera", folders: [built],
            expected: ModelSource(id: "revq-mini", folder: built)),
    ]

    @Test(arguments: lookups)
    func theFirstPlaceThatHasAModelIsUsed(_ lookup: Lookup) throws {
        #expect(try lookup() == lookup.expected)
    }

    @Test(arguments: [
        (
            "/usr/local/bin/tessera",
            "no model: TESSERA_MODEL is not set, no /usr/local/bin/Tessera_tessera.resources/revq-mini, "
                + "no /usr/local/share/tessera/revq-mini; expected --model FOLDER"
        ),
        (nil, "no model: TESSERA_MODEL is not set, this executable's folder is unknown; expected --model FOLDER"),
    ])
    func aMissingModelNamesThePlaces(executable: String?, expected: String) {
        let error = #expect(throws: CommandFailure.self) {
            try DefaultModel.source(
                environment: [:], executable: executable, exists: { _ in false }, expected: "--model FOLDER")
        }
        #expect(error?.description == expected)
    }

    @Test func aBadVariableIsAnError() {
        let error = #expect(throws: ModelError.self) {
            try DefaultModel.source(
                environment: ["TESSERA_MODEL": "a="], executable: nil, exists: { _ in true }, expected: "")
        }
        #expect(error.map { "\($0)" } == "TESSERA_MODEL a=: expected ID=FOLDER, found no folder")
    }
}
