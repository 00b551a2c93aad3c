import FilePaths
import Foundation

/// How long libgomp's threads spin while they wait for one another, before they sleep.
///
/// Its default is about a hundred times as long. A thread that spins takes time from other threads: the service's own
/// connections, another program, the other half of its core. Beside one busy program two threads computed 1.5 to 2
/// times as many images with this number, and alone as many or a few more.
enum Spinning {
    static let variable = "GOMP_SPINCOUNT"
    static let count = "3000"

    /// libgomp reads its settings as it is loaded, which is before any line of ours: so the process executes itself
    /// again, once, with the variable set. Where the user has set it, or `OMP_WAIT_POLICY`, nothing is changed.
    static func limit() {
        let environment = ProcessInfo.processInfo.environment
        guard environment[variable] == nil, environment["OMP_WAIT_POLICY"] == nil,
            let executable = Path("/proc/self/exe").linkTarget,
            // Not where it was started as an argument of the dynamic loader, `ld-linux-x86-64.so.2 tessera …`.
            !executable.name.hasPrefix("ld"), setenv(variable, count, 1) == 0
        else { return }
        // Returns only where it fails; the process then goes on with libgomp's default.
        executable.withCString { _ = execv($0, CommandLine.unsafeArgv) }
    }
}
