import Checkpoint
import Foundation
import Recipe
import Testing

@testable import Models

/// Packed weights of several files: they may be read by those alone who may read every one of the files.
@Suite(.serialized)
struct PackedAccessTests {
    static let files = ["model.safetensors", "vae/diffusion_pytorch_model.safetensors", "preprocessor.pth"]

    /// The process's, which may take bits away: as it stands, for changing it would change other tests' files.
    private func mask() throws -> mode_t {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("Umask:") })
        return try #require(mode_t(line.dropFirst(6).trimmingCharacters(in: .whitespaces), radix: 8))
    }

    private func status(of path: String) throws -> stat {
        var status = stat()
        try #require(stat(path, &status) == 0)
        return status
    }

    /// Modes of weights, VAE and preprocessor, and the packed file's without a mask.
    @Test(
        arguments: [
            ([0o644, 0o644, 0o644], 0o644), ([0o600, 0o644, 0o644], 0o600), ([0o644, 0o600, 0o644], 0o600),
            ([0o644, 0o644, 0o600], 0o600), ([0o640, 0o644, 0o644], 0o640), ([0o644, 0o640, 0o604], 0o600),
            ([0o664, 0o644, 0o640], 0o640), ([0o666, 0o664, 0o660], 0o660), ([0o444, 0o444, 0o440], 0o440),
            ([0o400, 0o640, 0o644], 0o400), ([0o755, 0o755, 0o755], 0o644), ([0o4755, 0o711, 0o750], 0o600),
        ] as [([mode_t], mode_t)])
    func isWhatAllFilesAllow(modes: [mode_t], expected: mode_t) throws {
        let folder = try TemporaryModel.revq(.tiny, latentDeviation: 1)
        for (file, mode) in zip(Self.files, modes) { #expect(chmod("\(folder.path)/\(file)", mode) == 0) }
        let source = ModelSource(id: "m", folder: folder.path)
        let path = try ModelLoader.pack(source).path
        let wanted = expected & ~(try mask())
        let found = try status(of: path).st_mode & 0o7777
        #expect(found == wanted, "0\(String(found, radix: 8)), expected 0\(String(wanted, radix: 8))")
    }

    /// What was open to all before is closed where it is packed anew.
    @Test func packedAnewItIsClosed() throws {
        let folder = try TemporaryModel.revq(.tiny, latentDeviation: 1)
        let source = ModelSource(id: "m", folder: folder.path)
        let open = try mode_t(0o644) & ~mask()
        #expect(try status(of: ModelLoader.pack(source).path).st_mode & 0o777 == open)
        #expect(chmod("\(folder.path)/\(Self.files[1])", 0o600) == 0)
        #expect(try status(of: ModelLoader.pack(source).path).st_mode & 0o777 == 0o600)
    }

    /// Files of another group, whose members alone may read them: the packed file is of the process's own group.
    @Test(.enabled(if: geteuid() == 0)) func ofAnotherGroup() throws {
        let folder = try TemporaryModel.revq(.tiny, latentDeviation: 1)
        let source = ModelSource(id: "m", folder: folder.path), stranger = getegid() + 4242
        func packed(modes: [mode_t], groups: [gid_t]) throws -> stat {
            for (file, (mode, group)) in zip(Self.files, zip(modes, groups)) {
                let path = "\(folder.path)/\(file)"
                #expect(chown(path, uid_t.max, group) == 0 && chmod(path, mode) == 0)
            }
            return try status(of: ModelLoader.pack(source).path)
        }
        let own = getegid(), mask = try mask()
        for (modes, groups, expected) in [
            ([0o640, 0o640, 0o640], [own, own, own], 0o640),
            ([0o640, 0o640, 0o640], [stranger, stranger, stranger], 0o600),
            ([0o640, 0o640, 0o644], [own, stranger, own], 0o600),
            ([0o644, 0o644, 0o644], [own, stranger, own], 0o644),
        ] as [([mode_t], [gid_t], mode_t)] {
            let found = try packed(modes: modes, groups: groups)
            #expect(found.st_gid == own && found.st_mode & 0o777 == expected & ~mask, "\(modes) \(groups)")
        }
        // A folder that hands its group on.
        #expect(chown(folder.path, uid_t.max, stranger) == 0 && chmod(folder.path, 0o2755) == 0)
        let inherited = try packed(modes: [0o640, 0o640, 0o640], groups: [stranger, stranger, stranger])
        #expect(inherited.st_gid == stranger && inherited.st_mode & 0o777 == 0o640 & ~mask)
        let closed = try packed(modes: [0o640, 0o640, 0o640], groups: [own, own, own])
        #expect(closed.st_gid == stranger && closed.st_mode & 0o777 == 0o600)
    }
}
