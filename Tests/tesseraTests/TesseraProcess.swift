import Foundation
import Glibc
import Patience
import Testing

/// The built executable, which lies beside the tests' own.
enum TesseraProcess {
    struct Result {
        let status: Int32
        let wasKilled: Bool
        let errors: String
    }

    static var executable: URL {
        // The tests' executable is in the same folder of the build.
        URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
            .appending(path: "tessera")
    }

    static func start(_ arguments: [String], errors: Pipe? = nil, shell: String? = nil) throws -> Process {
        let process = Process()
        if let shell {
            process.executableURL = URL(fileURLWithPath: "/bin/bash")
            process.arguments = ["-c", "\(shell); exec \"$0\" \"$@\"", executable.path] + arguments
        } else {
            process.executableURL = executable
            process.arguments = arguments
        }
        process.standardOutput = FileHandle.nullDevice
        if let errors { process.standardError = errors } else { process.standardError = FileHandle.nullDevice }
        try process.run()
        return process
    }

    /// - Parameters:
    ///   - shell: bash commands that come first, such as `ulimit`.
    ///   - limit: after which it is killed; it may train.
    static func run(
        _ arguments: [String], shell: String? = nil, within limit: Duration = Patience.whole * 15
    ) throws -> Result {
        let pipe = Pipe()
        let process = try start(arguments, errors: pipe, shell: shell)
        let watch = process.killed(after: limit)
        defer { watch.cancel() }
        let errors = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return Result(
            status: process.terminationStatus, wasKilled: process.terminationReason == .uncaughtSignal,
            errors: String(decoding: errors, as: UTF8.self))
    }
}

extension Process {
    /// Waits for its end; a process that goes on for longer than `limit` is killed, and told.
    func awaitEnd(within limit: Duration = Patience.long, sourceLocation: SourceLocation = #_sourceLocation) {
        if !Patience.eventually(within: limit, { !isRunning }) {
            Issue.record("the process goes on after \(limit)", sourceLocation: sourceLocation)
            kill(processIdentifier, SIGKILL)
        }
        waitUntilExit()
    }

    /// Kills it after `limit`, unless that is cancelled before: what waits for its output waits no longer.
    func killed(after limit: Duration) -> DispatchWorkItem {
        let identifier = processIdentifier
        let item = DispatchWorkItem { kill(identifier, SIGKILL) }
        DispatchQueue.global().asyncAfter(deadline: .now() + limit / .seconds(1), execute: item)
        return item
    }
}
