import CKernels
import Glibc

extension Compute {
    /// Processors this process may use: its affinity, bounded by its cgroup's CPU quota (`cpu.max`, version 2) and
    /// those of the groups around it, at least 1. The host's processors say nothing inside a container.
    public static var availableProcessors: Int {
        let quotas = cgroupFolders(read("/proc/self/cgroup")).compactMap { cgroupQuota(read($0 + "/cpu.max")) }
        return max(1, min(Int(tk_processors()), quotas.min() ?? .max))
    }

    /// The folders of a process's groups, from its own outwards. In a container the outermost is the container's.
    ///
    /// - Parameter text: what /proc has for it; "0::PATH" is the line of version 2.
    static func cgroupFolders(_ text: String?) -> [String] {
        let line = (text ?? "").split(separator: "\n").first { $0.hasPrefix("0::/") }
        var names = line?.dropFirst(4).split(separator: "/") ?? []
        // A group outside of what this process sees.
        if names.contains("..") { names = [] }
        return (0...names.count).reversed().map { "/sys/fs/cgroup" + names.prefix($0).map { "/" + $0 }.joined() }
    }

    /// "QUOTA PERIOD" in microseconds, rounded down to whole processors; "max" is no quota.
    static func cgroupQuota(_ text: String?) -> Int? {
        let fields = (text ?? "").split(whereSeparator: \.isWhitespace)
        guard fields.count == 2, let quota = Int(fields[0]), let period = Int(fields[1]), quota > 0, period > 0 else {
            return nil
        }
        return quota / period
    }

    private static func read(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes.prefix(count), as: UTF8.self)
    }
}
