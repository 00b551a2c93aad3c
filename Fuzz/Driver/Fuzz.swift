import CLibFuzzer
import FuzzTargets
import Glibc

/// libFuzzer on the target that the environment's `FUZZ_TARGET` names; without it, the names of the targets.
///
/// In the environment because libFuzzer starts itself again, to merge say, with the arguments that it knows.
@main
enum Fuzz {
    /// libFuzzer's callback takes no context.
    private static let target = getenv("FUZZ_TARGET").flatMap { FuzzTarget(rawValue: String(cString: $0)) }

    static func main() {
        guard let target else {
            print(FuzzTarget.allCases.map(\.rawValue).joined(separator: "\n"))
            exit(getenv("FUZZ_TARGET") == nil ? 0 : 2)
        }
        // The longest input before what was given: the last of a repeated flag counts.
        var arguments = [strdup(CommandLine.arguments[0]), strdup("-max_len=\(target.mostBytes)")]
        arguments += CommandLine.arguments.dropFirst().map { strdup($0) } + [nil]
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
