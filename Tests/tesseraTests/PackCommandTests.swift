import Foundation
import Recipe
import Testing

/// `tessera pack` as a process.
@Suite(.serialized, .timeLimit(.minutes(5))) struct PackCommandTests {
    @Test func packsChecksAndIsUsed() throws {
        let folder = try TemporaryModel.revq(.tiny, latentDeviation: 1)
        func output(_ arguments: [String]) throws -> String {
            let result = try TesseraProcess.run(arguments, shell: "exec >'\(folder.path)/out'")
            #expect(result.status == 0 && result.errors.isEmpty)
            return try String(contentsOfFile: folder.path + "/out", encoding: .utf8)
        }
        #expect(try output(["inspect", folder.path]).contains("weights, read and laid out"))
        let packed = try output(["pack", folder.path])
        #expect(packed.hasPrefix(folder.path + "/packed-fp32-") && packed.contains(" MB, "))
        let inspected = try output(["inspect", folder.path])
        #expect(inspected.contains("packed weights, mapped") && inspected.contains(folder.path + "/packed-fp32-"))
        #expect(try output(["pack", "--check", folder.path]).hasSuffix(", sound\n"))
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        #expect(names.count { $0.hasPrefix("packed-") } == 1 && !names.contains { $0.hasSuffix(".partial") })
    }

    /// oneDNN limited to these instructions behaves as on a processor that has no others.
    @Test(arguments: ["AVX2", "SSE41"]) func oneDNNWithoutAVX512(limit: String) throws {
        let folder = try TemporaryModel.revq(.tiny, latentDeviation: 1)
        func inspected(_ precision: String, _ shell: String) throws -> String {
            let result = try TesseraProcess.run(
                ["inspect", "\(folder.path),precision=\(precision)"], shell: shell + "exec >'\(folder.path)/out'")
            #expect(result.status == 0, "\(result.errors)")
            return try String(contentsOfFile: folder.path + "/out", encoding: .utf8)
        }
        let free = try inspected("bf16", ""), limited = try inspected("bf16", "export DNNL_MAX_CPU_ISA=\(limit); ")
        #expect(limited.contains(/precision +fp32\n/) && limited.contains(/warning .*precision bf16 needs/))
        if !free.contains("warning") { #expect(limited.contains("DNNL_MAX_CPU_ISA")) }
        let eight = try inspected("int8", ""),
            limitedEight = try inspected("int8", "export DNNL_MAX_CPU_ISA=\(limit); ")
        #expect(eight.contains(/precision +int8\n/) == limitedEight.contains(/precision +int8\n/))
        #expect(free.contains(/instructions +[a-z0-9]+\n/))
    }

    /// The mode is that of the weights without the bits of the process's umask.
    @Test(
        arguments: [
            ("077", 0o644, 0o600), ("027", 0o644, 0o640), ("000", 0o644, 0o644), ("000", 0o600, 0o600),
            ("000", 0o664, 0o664), ("002", 0o666, 0o664),
        ] as [(String, mode_t, mode_t)])
    func theUmaskLimitsTheFileMode(mask: String, mode: mode_t, expected: mode_t) throws {
        let folder = try TemporaryModel.sftok(.tiny)
        #expect(chmod(folder.path + "/model.safetensors", mode) == 0)
        let result = try TesseraProcess.run(["pack", folder.path], shell: "umask \(mask)")
        #expect(result.status == 0, "\(result.errors)")
        let names = try FileManager.default.contentsOfDirectory(atPath: folder.path)
        let name = try #require(names.first { $0.hasPrefix("packed-") })
        var status = stat()
        #expect(stat("\(folder.path)/\(name)", &status) == 0 && status.st_mode & 0o7777 == expected)
    }

    @Test func aModelThatCannotBePackedIsAnError() throws {
        let missing = try TesseraProcess.run(["pack", "/no/such/folder"])
        #expect(missing.status == 1 && missing.errors.contains("/no/such/folder: there is no such folder"))
        let folder = try TemporaryModel.sftok(.tiny)
        let unpacked = try TesseraProcess.run(["pack", "--check", folder.path])
        #expect(unpacked.status == 1 && unpacked.errors.contains("there is no such file; `tessera pack` writes it"))
    }
}
