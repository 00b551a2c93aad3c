import ArgumentParser

@main
struct Tessera: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tessera",
        abstract: "Turns images into discrete tokens and tokens into images, with SFTok and ReVQ.",
        version: "0.1.0",
        subcommands: [Serve.self, Encode.self, Decode.self, Reconstruct.self, Inspect.self])
}
