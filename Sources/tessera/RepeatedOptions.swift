import ArgumentParser

/// Options that take one value and are given twice, of which the parser would drop the first without a word.
enum RepeatedOptions {
    /// By command: those that collect their values.
    static let lists: [String: Set<String>] = ["serve": ["--listen", "--model", "--cors-origin"]]
    /// Those without a value, which say the same when they are repeated.
    static let flags: Set<String> = [
        "--npy", "--margin", "--check", "--shared-codebook", "--print-config", "--metrics-auth", "--no-metrics-auth",
        "--version", "--help",
    ]

    /// - Parameter arguments: without the executable's name, the command first.
    /// - Throws: for the first option that is given again, naming both values.
    static func check(_ arguments: [String]) throws(ValidationError) {
        let lists = arguments.first.flatMap { Self.lists[$0] } ?? []
        var values: [String: String] = [:]
        // What follows `--` are no options.
        let options = arguments.prefix { $0 != "--" }
        for (index, argument) in options.enumerated() where argument.hasPrefix("--") {
            let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
            let name = parts[0]
            guard !flags.contains(name), !lists.contains(name) else { continue }
            let value = parts.count > 1 ? parts[1] : index + 1 < arguments.count ? arguments[index + 1] : ""
            if let before = values.updateValue(value, forKey: name) {
                throw ValidationError("\(name) is given twice, as '\(before)' and '\(value)'; expected once")
            }
        }
    }
}
