import CKernels
import Glibc

extension Compute {
    /// Processors this process may use: its affinity, bounded by the cgroup's CPU quota (`cpu.max`), at least 1.
    /// The host's processors say nothing inside a container.
    public static var availableProcessors: Int {
        let allowed = Int(tk_processors())
        guard let quota = cgroupQuota(read("/sys/fs/cgroup/cpu.max")) else { return allowed }
        return max(1, min(allowed, quota))
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
        var line = [CChar](repeating: 0, count: 64)
        guard fgets(&line, Int32(line.count), file) != nil else { return nil }
        return String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
