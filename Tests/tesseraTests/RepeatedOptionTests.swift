import ArgumentParser
import Testing

@testable import tessera

/// Options given twice, of which ArgumentParser would ignore the first.
struct RepeatedOptionTests {
    @Test(
        arguments: [
            (
                ["serve", "--precision", "bf16", "--precision", "int8"],
                "--precision is given twice, as 'bf16' and 'int8'"
            ),
            (["serve", "--precision=bf16", "--precision", "bf16"], "--precision is given twice, as 'bf16' and 'bf16'"),
            (["serve", "--threads", "1", "--grace=2", "--threads=2"], "--threads is given twice, as '1' and '2'"),
            (["encode", "--model", "a", "x.png", "--model", "b"], "--model is given twice, as 'a' and 'b'"),
            (["decode", "--seed", "-1", "--seed", "-2", "t.json"], "--seed is given twice, as '-1' and '-2'"),
            (["train", "revq", "--out", "a", "--out", "b"], "--out is given twice, as 'a' and 'b'"),
            (["inspect", "--vae", "a", "m", "--vae="], "--vae is given twice, as 'a' and ''"),
            (["serve", "--config", "a", "--config"], "--config is given twice, as 'a' and ''"),
            (["serve", "--model", "a", "--model", "b", "--listen=x", "--listen", "y", "--cors-origin", "z"], nil),
            (["encode", "--npy", "a.png", "--npy", "b.png", "--out", "x"], nil),
            (["encode", "--out", "x", "--", "--out", "--out"], nil), (["serve", "--no-metrics-auth", "--help"], nil),
            ([], nil), (["--version"], nil),
        ] as [([String], String?)])
    func aRepeatedOptionIsAnError(arguments: [String], expected: String?) {
        do throws(ValidationError) {
            try RepeatedOptions.check(arguments)
            #expect(expected == nil)
        } catch {
            #expect(error.message == expected.map { $0 + "; expected once" })
        }
    }

    /// The help shows which options have a value.
    @Test(arguments: [
        Serve.helpMessage(columns: 500), Encode.helpMessage(columns: 500), Decode.helpMessage(columns: 500),
        Reconstruct.helpMessage(columns: 500), Eval.helpMessage(columns: 500), Inspect.helpMessage(columns: 500),
        Pack.helpMessage(columns: 500), TrainReVQ.helpMessage(columns: 500),
    ])
    func flagsAreThoseWithoutAValue(help: String) throws {
        let lines = help.split(separator: "\n").filter { $0.hasPrefix("  -") }
        #expect(lines.count > 3)
        for line in lines {
            let shown = line.prefix(through: line.range(of: "   ")?.lowerBound ?? line.index(before: line.endIndex))
            let names = shown.split { $0 == " " || $0 == "," || $0 == "/" }.filter { $0.hasPrefix("--") }.map(
                String.init)
            let hasValue = shown.contains("<")
            for name in names { #expect(RepeatedOptions.flags.contains(name) == !hasValue, "\(line)") }
        }
    }

    @Test func theProcessEndsWithARepeatedOption() throws {
        let result = try TesseraProcess.run(["serve", "--precision", "bf16", "--precision", "int8", "--print-config"])
        #expect(result.status == 2)
        #expect(result.errors.contains("--precision is given twice, as 'bf16' and 'int8'; expected once"))
    }
}

/// More computing threads than processors.
struct ThreadWarningTests {
    @Test(
        arguments: [
            (nil, 2, nil), (1, 2, nil), (2, 2, nil), (1024, 1024, nil),
            (
                1024, 2,
                "--threads is 1024, more than the 2 processors that this process may use: 1024 threads are used, which "
                    + "take turns and are slower than 2"
            ),
            (
                3, 1,
                "--threads is 3, more than the 1 processors that this process may use: 3 threads are used, which take "
                    + "turns and are slower than 1"
            ),
        ] as [(Int?, Int, String?)])
    func moreThreadsThanProcessorsAreAWarning(threads: Int?, processors: Int, expected: String?) {
        #expect(ThreadOptions.warning(threads: threads, processors: processors) == expected)
    }

    @Test(arguments: [["inspect"], ["pack", "--check"], ["encode", "/nowhere.png"]])
    func everyCommandWarns(arguments: [String]) throws {
        let result = try TesseraProcess.run(arguments + ["--threads", "1024"])
        #expect(result.errors.hasPrefix("warning: --threads is 1024, more than the "), "\(result.errors)")
        let few = try TesseraProcess.run(arguments + ["--threads", "1"])
        #expect(!few.errors.contains("--threads"), "\(few.errors)")
    }
}
