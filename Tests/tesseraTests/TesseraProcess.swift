import Foundation

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

    /// - Parameter shell: bash commands that come first, such as `ulimit`.
    static func run(_ arguments: [String], shell: String? = nil) throws -> Result {
        let pipe = Pipe()
        let process = try start(arguments, errors: pipe, shell: shell)
        let errors = try pipe.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return Result(
            status: process.terminationStatus, wasKilled: process.terminationReason == .uncaughtSignal,
            errors: String(decoding: errors, as: UTF8.self))
    }
}
