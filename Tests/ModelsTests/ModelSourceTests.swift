import Testing
import TokenizerCore

@testable import Models

/// Models as `--model` names them.
struct ModelSourceTests {
    /// A folder of that name counts as a whole, equals sign and all.
    @Test(arguments: [
        ("512T_NC=16384", ["512T_NC=16384"], ModelSource(id: "512T_NC-16384", folder: "512T_NC=16384")),
        ("512T_NC=16384", [], ModelSource(id: "512T_NC", folder: "16384")),
        ("512T_NC=16384", ["16384"], ModelSource(id: "512T_NC", folder: "16384")),
        ("512T_NC=16384", ["16384", "512T_NC=16384"], ModelSource(id: "512T_NC-16384", folder: "512T_NC=16384")),
        ("r=512T_NC=16384", ["512T_NC=16384"], ModelSource(id: "r", folder: "512T_NC=16384")),
        ("r=512T_NC=16384", ["r=512T_NC=16384"], ModelSource(id: "r-512T_NC-16384", folder: "r=512T_NC=16384")),
        (
            "512T_NC=16384,precision=bf16,vae=v=1", ["512T_NC=16384"],
            ModelSource(id: "512T_NC-16384", folder: "512T_NC=16384", vae: "v=1", precision: .bf16)
        ),
        (
            "r=a=b,preprocessor=p=q.pth", ["a=b"],
            ModelSource(id: "r", folder: "a=b", preprocessor: "p=q.pth")
        ),
        ("./a=b", [], ModelSource(id: "a-b", folder: "./a=b")),
        ("a=b/", ["a=b/"], ModelSource(id: "a-b", folder: "a=b/")),
        ("a=b=", ["a=b="], ModelSource(id: "a-b-", folder: "a=b=")),
        ("=b", ["=b"], ModelSource(id: "-b", folder: "=b")),
    ])
    func foldersWithAnEqualsSign(text: String, folders: [String], expected: ModelSource) throws {
        #expect(try ModelSource(parsing: text, from: "--model", isFolder: folders.contains) == expected)
    }

    @Test(arguments: [
        ("a=/m,precision=bf16,precision=int8", "precision is given twice, as 'bf16' and 'int8'; expected once"),
        ("a=/m,precision=bf16,precision=bf16", "precision is given twice, as 'bf16' and 'bf16'; expected once"),
        ("a=/m,vae=/v,vae=/w", "vae is given twice, as '/v' and '/w'; expected once"),
        ("/m,preprocessor=p,vae=/v,preprocessor=q", "preprocessor is given twice, as 'p' and 'q'; expected once"),
        ("/m,precision=fp32,vae=/v,precision=x", "precision is given twice, as 'fp32' and 'x'; expected once"),
        ("/m,precision=x", "precision 'x' is not available; expected fp32|bf16|int8"),
        ("/m,weights=x", "'weights=x' is not one of vae=FOLDER, preprocessor=FILE, precision=fp32|bf16|int8"),
        ("/m,vae=", "'vae=' is not one of vae=FOLDER, preprocessor=FILE, precision=fp32|bf16|int8"),
        ("/m,", "'' is not one of vae=FOLDER, preprocessor=FILE, precision=fp32|bf16|int8"),
    ])
    func optionsAreGivenOnce(text: String, says: String) {
        let error = #expect(throws: ModelError.self) { try ModelSource(parsing: text) }
        #expect(error?.description == "--model \(text): \(says)")
    }
}
