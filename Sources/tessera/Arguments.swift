import ArgumentParser
import FilePaths
import Foundation

/// What the process was started with, each in the text form of `Path`, so that names that are not UTF-8 keep their
/// bytes; Swift's and Foundation's own put U+FFFD in place of such bytes. Arguments that aren't paths either hold no
/// byte that this form escapes, or are refused with the escape in the message.
enum Arguments {
    /// Without the executable's name.
    static let texts: [String] = {
        let arguments = UnsafeBufferPointer(start: CommandLine.unsafeArgv, count: Int(CommandLine.argc))
        return arguments.dropFirst().compactMap { $0.map { Path(cString: $0).description } }
    }()
}

enum Environment {
    /// By name. Line feeds and tabs stand for themselves: they divide the elements of lists.
    static var texts: [String: String] {
        var texts: [String: String] = [:]
        for name in ProcessInfo.processInfo.environment.keys {
            guard let value = getenv(name) else { continue }
            texts[name] = PathText.text(of: Path(cString: value).bytes, keeping: Array("\t\n\r".utf8))
        }
        return texts
    }
}

extension Path: ExpressibleByArgument {}
