import CLibFuzzer
import FuzzTargets
import Glibc

/// `TARGET [libFuzzer's arguments]`; without arguments, the names of the targets.
@main
enum Fuzz {
    /// libFuzzer's callback takes no context.
    private static let target = FuzzTarget(rawValue: CommandLine.arguments.dropFirst().first ?? "")

    static func main() {
        guard let target else {
            print(FuzzTarget.allCases.map(\.rawValue).joined(separator: "\n"))
            exit(CommandLine.argc > 1 ? 2 : 0)
        }
        // The name of the program, the longest input, then what was given: the last of a repeated flag counts.
        var arguments = [strdup(CommandLine.arguments[0]), strdup("-max_len=\(target.mostBytes)")]
        arguments += CommandLine.arguments.dropFirst(2).map { strdup($0) } + [nil]
        var count = Int32(arguments.count - 1)
        arguments.withUnsafeMutableBufferPointer { buffer in
            var start = buffer.baseAddress
            exit(LLVMFuzzerRunDriver(&count, &start) { Fuzz.run(UnsafeBufferPointer(start: $0, count: $1)) })
        }
    }

    private static func run(_ bytes: UnsafeBufferPointer<UInt8>) -> Int32 {
        do {
            try target?.run(Array(bytes))
        } catch {
            fatalError("\(error)")
        }
        return 0
    }
}
