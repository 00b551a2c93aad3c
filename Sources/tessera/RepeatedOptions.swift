import ArgumentParser

/// Finds options that take one value and are given twice: ArgumentParser would use the last value and ignore the first.
enum RepeatedOptions {
    /// By command: options that may be repeated, as they collect their values.
    static let lists: [String: Set<String>] = ["serve": ["--listen", "--model", "--cors-origin"]]
    /// Options without a value: repeating one changes nothing.
    static let flags: Set<String> = [
        "--npy", "--margin", "--check", "--shared-codebook", "--print-config", "--metrics-auth", "--no-metrics-auth",
        "--version", "--help",
    ]

    /// - Parameter arguments: without the executable's name, the command first.
    /// - Throws: for the first option that is given again, naming both values.
    static func check(_ arguments: [String]) throws(ValidationError) {
        let lists = arguments.first.flatMap { Self.lists[$0] } ?? []
        var values: [String: String] = [:]
        // What follows `--` is not an option.
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
