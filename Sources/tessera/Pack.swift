import ArgumentParser
import Checkpoint
import Models

/// `tessera pack`: a model's weights as they are computed with, in one file for later starts to map.
struct Pack: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Writes a model's packed weights beside it, so that a later start maps them.",
        discussion: """
            Every layer lays its weights out anew when a model is loaded. This writes the result to \
            FOLDER/packed-PRECISION-INSTRUCTIONS.tessera: one file for each precision and each kind of processor. \
            Every command and `serve` map that file from then on, without reading the weights; processes that serve \
            the same model share its memory.

            The weights stay what counts. A file is used where it was packed from weights of the same names and sizes, \
            by the same version of oneDNN; a few layers are laid out by the number of threads as well, and are made \
            from the weights where that is another (--threads). Where their times are the same as well, the \
            fingerprint is taken from the file; else all weights are read and compared with it. A file that doesn't \
            fit, or whose index is damaged, costs one warning and the time to read the weights. What a start can't see \
            is damage among the packed numbers themselves: --check reads them all, and compares them with what was \
            written, not with the weights.

            Packing again replaces the file; services that have mapped the old one keep it until they reload (SIGHUP).

            Examples:
              tessera pack models/sftok-b
              tessera pack models/sftok-b,precision=bf16
              tessera pack --check models/sftok-b
            """)

    @OptionGroup var model: ModelArgument

    @Flag(help: "Pack nothing; read the packed weights that are there, whole, and compare them with what was written.")
    var check = false

    func run() throws {
        let source = try model.source()
        let clock = ContinuousClock()
        let start = clock.now
        if check {
            let (path, bytes) = try ModelLoader.checkPacked(source, threads: model.threads)
            return print("\(path): \(Self.told(bytes, clock.now - start)), sound")
        }
        let (description, path, bytes) = try ModelLoader.pack(source, threads: model.threads)
        for warning in description.warnings { standardError("warning: \(warning)") }
        print("\(path): \(Self.told(bytes, clock.now - start)), contract \(description.contract.fingerprint)")
    }

    private static func told(_ bytes: Int, _ time: Duration) -> String {
        let megabytes = (Double(bytes) / 1e6).rounded()
        let seconds = (time / .seconds(1) * 10).rounded() / 10
        return "\(Int(megabytes)) MB, \(seconds) s"
    }
}
