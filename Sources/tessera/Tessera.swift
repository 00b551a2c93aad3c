import ArgumentParser
import Foundation
import TokenService

@main
struct Tessera: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tessera",
        abstract: "Turns images into discrete tokens and tokens into images, with SFTok and ReVQ.",
        version: TokenService.version,
        subcommands: [
            Serve.self, Encode.self, Decode.self, Reconstruct.self, Eval.self, Inspect.self, Pack.self, Train.self,
        ])

    /// Exit 0: done; 1: failed; 2: wrong usage.
    static func main() {
        Spinning.limit()
        do {
            try RepeatedOptions.check(Arguments.texts)
            var command = try parseAsRoot(Arguments.texts)
            try command.run()
        } catch {
            let code = exitCode(for: error)
            guard code == .validationFailure else { exit(withError: error) }
            standardError(fullMessage(for: error))
            Foundation.exit(2)
        }
    }
}
