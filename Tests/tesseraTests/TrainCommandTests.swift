import Foundation
import ImageInput
import Patience
import Recipe
import Testing
import TokenizerCore

/// `tessera train revq` as a process of its own, with the tiny DC-AE.
@Suite(.serialized) struct TrainCommandTests {
    /// A VAE and pictures, removed with their owner.
    final class Files {
        let model: TemporaryModel
        let path: String

        init() throws {
            model = try TemporaryModel.revq(.tiny, latentDeviation: 1)
            path = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString).path
            try FileManager.default.createDirectory(atPath: path + "/in", withIntermediateDirectories: true)
            for number in 0..<4 {
                let picture = image("train \(number)", height: 280, width: 300)
                try Data(encodePNG(picture)).write(to: URL(fileURLWithPath: "\(path)/in/\(number).png"))
            }
        }

        deinit { try? FileManager.default.removeItem(atPath: path) }

        func arguments(_ out: String, latents: String = "latents", _ more: [String] = []) -> [String] {
            [
                "train", "revq", "--vae", model.path + "/vae", "--images", path + "/in", "--out", "\(path)/\(out)",
                "--latents", "\(path)/\(latents)", "--crops", "24", "--tokens", "64", "--codes", "8", "--batch", "2",
                "--features", "32", "--layers", "1", "--epochs", "4", "--log-steps", "1", "--threads", "1",
            ] + more
        }

        func bytes(_ name: String) throws -> Data { try Data(contentsOf: URL(fileURLWithPath: "\(path)/\(name)")) }

        func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: "\(path)/\(name)") }

        /// Lines that the log of `out` has by now.
        func logged(_ out: String) -> Int {
            let log = (try? bytes("\(out)/log.jsonl")) ?? Data()
            return log.count { $0 == UInt8(ascii: "\n") }
        }
    }

    /// Ten runs are killed with SIGKILL at moments that are drawn: while latents are encoded, or after a number of
    /// steps and a part of the next; all end with the weights of an uninterrupted run.
    @Test func killedRunsGoOnToTheSameWeights() throws {
        let files = try Files()
        try #require(try TesseraProcess.run(files.arguments("unbroken", latents: "latents-unbroken")).status == 0)
        let weights = try files.bytes("unbroken/model/model.safetensors")
        let preprocessor = try files.bytes("unbroken/model/preprocessor.safetensors")
        let lines = files.logged("unbroken")
        var killed = 0
        var random = SystemRandomNumberGenerator()
        for number in 0..<10 {
            let out = "out-\(number)", latents = "latents-\(number)"
            let arguments = files.arguments(out, latents: latents)
            let process = try TesseraProcess.start(arguments)
            let watch = process.killed(after: Patience.whole * 15)
            defer { watch.cancel() }
            if number < 2 {
                while process.isRunning, !files.exists(latents + "/manifest.json") { usleep(1000) }
            } else {
                let moment = Int.random(in: 1..<lines, using: &random)
                while process.isRunning, files.logged(out) < moment { usleep(500) }
            }
            usleep(UInt32.random(in: 0..<30_000, using: &random))
            kill(process.processIdentifier, SIGKILL)
            process.awaitEnd()
            if process.terminationReason == .uncaughtSignal { killed += 1 }
            let rest = try TesseraProcess.run(arguments)
            #expect(rest.status == 0, "\(rest.errors)")
            #expect(try files.bytes(out + "/model/model.safetensors") == weights, "run \(number)")
            #expect(try files.bytes(out + "/model/preprocessor.safetensors") == preprocessor, "run \(number)")
            #expect(files.logged(out) == lines)
        }
        #expect(killed >= 5)
    }

    /// A limit on the size of files does what a full disk does: the write fails.
    @Test func aStateThatCannotBeWrittenLosesNoneBeforeIt() throws {
        let files = try Files()
        try #require(try TesseraProcess.run(files.arguments("out", ["--steps", "24"])).status == 0)
        let states = try FileManager.default.contentsOfDirectory(atPath: files.path + "/out/state").sorted()
        try #require(states.count == 2 && states.contains("step-24.safetensors"))
        let before = try #require(states.first { $0 != "step-24.safetensors" })
        try FileManager.default.removeItem(atPath: "\(files.path)/out/state/step-24.safetensors")
        let kept = try files.bytes("out/state/" + before)
        let weights = try files.bytes("out/model/model.safetensors")
        // bash counts in blocks of 1,024 bytes.
        let failed = try TesseraProcess.run(
            files.arguments("out", ["--steps", "24"]), shell: "ulimit -f \(kept.count / 2048)")
        #expect(failed.status == 1 && !failed.wasKilled)
        #expect(failed.errors.contains("/out/state/step-24.safetensors: "), "\(failed.errors)")
        #expect(failed.errors.contains("File too large"), "\(failed.errors)")
        #expect(try files.bytes("out/state/" + before) == kept)
        #expect(try TesseraProcess.run(files.arguments("out", ["--steps", "24"])).status == 0)
        #expect(try FileManager.default.contentsOfDirectory(atPath: files.path + "/out/state").sorted() == states)
        #expect(try files.bytes("out/model/model.safetensors") == weights)
    }

    /// The reader of the progress may close its end of the pipe.
    @Test func aClosedStandardErrorEndsNoRun() throws {
        let files = try Files()
        let arguments = files.arguments("out", ["--steps", "1"])
        let result = try TesseraProcess.run(arguments, shell: "exec 2> >(exec 0<&-; true); sleep 0.2")
        #expect(result.status == 0 && !result.wasKilled)
        #expect(files.exists("out/model/model.safetensors"))
    }

    @Test func aVAEWithoutADecoderIsRefusedBeforeAnythingIsEncoded() throws {
        let files = try Files()
        let writer = Recipe.SafetensorsWriter()
        for (name, shape) in ReVQSize.tiny.vaeShapes where name.hasPrefix("encoder.") {
            writer.add(name, shape: shape, seed: 1)
        }
        try writer.write(to: files.model.path + "/vae/diffusion_pytorch_model.safetensors")
        let result = try TesseraProcess.run(files.arguments("out"))
        #expect(result.status == 1)
        #expect(result.errors.contains("decoder."), "\(result.errors)")
        #expect(!files.exists("latents"))
    }

    /// With a picture that has changed since, neither its latents nor the run on them are continued silently.
    @Test func aChangedPictureIsNoticed() throws {
        let files = try Files()
        #expect(try TesseraProcess.run(files.arguments("out", ["--steps", "1"])).status == 0)
        let picture = image("changed", height: 280, width: 300)
        try Data(encodePNG(picture)).write(to: URL(fileURLWithPath: files.path + "/in/1.png"))
        let cached = try TesseraProcess.run(files.arguments("out", ["--steps", "1"]))
        #expect(cached.status == 1 && cached.errors.contains("before one of them changed"), "\(cached.errors)")
        let fresh = try TesseraProcess.run(files.arguments("out", latents: "fresh", ["--steps", "1"]))
        #expect(fresh.status == 1 && fresh.errors.contains("trains on other latents"), "\(fresh.errors)")
    }

    @Test func anotherNameReplacesTheConfiguration() throws {
        let files = try Files()
        for name in ["one", "two"] {
            #expect(try TesseraProcess.run(files.arguments("out", ["--steps", "1", "--name", name])).status == 0)
        }
        #expect(files.exists("out/model/two.yaml") && !files.exists("out/model/one.yaml"))
        #expect(try TesseraProcess.run(["inspect", files.path + "/out/model"]).status == 0)
    }

    @Test func picturesThatCannotBeReadAreNamedAndSkipped() throws {
        let files = try Files()
        try Data("not a picture".utf8).write(to: URL(fileURLWithPath: files.path + "/in/odd.png"))
        let result = try TesseraProcess.run(files.arguments("out", ["--steps", "1"]))
        #expect(result.status == 0)
        #expect(result.errors.contains("skipped \(files.path)/in/odd.png: "), "\(result.errors)")
    }

    @Test(arguments: [
        (["--batch", "0"], "--batch is 0, expected 1 to 65536"),
        (["--epochs", "-1"], "--epochs is -1, expected"),
        (["--codes", "4096"], "expected at least one for each of 4096 codes"),
        (["--out", ""], "--out is empty, expected a path"),
        (["--name", "-x"], "--name"),
        (["--vae", "/nowhere"], "/nowhere: there is no such folder"),
        (["--images", "/nowhere"], "/nowhere: there is no such folder or list of pictures"),
    ])
    func refused(more: [String], message: String) throws {
        let files = try Files()
        var arguments = files.arguments("out")
        if let at = arguments.firstIndex(of: more[0]) {
            arguments[at + 1] = more[1]
        } else {
            arguments += more
        }
        let result = try TesseraProcess.run(arguments)
        #expect(result.status != 0 && !result.wasKilled)
        #expect(result.errors.contains(message), "\(result.errors)")
    }
}
