import Glibc
import Synchronization

extension Registry {
    /// What Prometheus clients tell of their own process, under their names; what the system doesn't tell is left out.
    public func addProcess() {
        // Field numbers of /proc/self/stat are proc(5)'s.
        let ticks = Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
        let pageBytes = Double(sysconf(Int32(_SC_PAGESIZE)))
        @Sendable func stat(_ fields: Int..., scale: Double) -> [Sample] {
            let all = ProcessStatistics.latest().fields
            let numbers = fields.compactMap { all[$0] }
            return numbers.count == fields.count ? [Sample(numbers.reduce(0, +) * scale)] : []
        }
        readCounter("process_cpu_seconds_total", "Processor time in user and system mode, in seconds.") {
            stat(14, 15, scale: 1 / ticks)
        }
        readGauge("process_resident_memory_bytes", "Resident memory in bytes.") { stat(24, scale: pageBytes) }
        readGauge("process_virtual_memory_bytes", "Virtual memory in bytes.") { stat(23, scale: 1) }
        readGauge("process_threads", "Threads.") { stat(20, scale: 1) }
        let boot = ProcessStatistics.bootTime()
        readGauge("process_start_time_seconds", "Start of the process, in seconds since 1970.") {
            guard let boot else { return [] }
            return stat(22, scale: 1 / ticks).map { Sample($0.number + boot) }
        }
        readGauge("process_open_fds", "Open file descriptors.") {
            ProcessStatistics.latest().descriptors.map { [Sample(Double($0))] } ?? []
        }
        readGauge("process_max_fds", "File descriptors that may be open.") {
            ProcessStatistics.mostDescriptors().map { [Sample($0)] } ?? []
        }
    }
}

/// Reads /proc, proc(5).
enum ProcessStatistics {
    struct Reading: Sendable {
        let time: ContinuousClock.Instant
        let fields: [Int: Double]
        let descriptors: Int?
    }

    private static let reading = Mutex<Reading?>(nil)

    /// What was read within the last second. Counting thousands of descriptors takes milliseconds, and a client may ask
    /// for the page at any rate.
    static func latest() -> Reading {
        reading.withLock { reading in
            if let reading, .now - reading.time < .seconds(1) { return reading }
            let new = Reading(time: .now, fields: fields(), descriptors: openDescriptors())
            reading = new
            return new
        }
    }

    /// The numbers of /proc/self/stat from the third field on, by field number.
    static func fields() -> [Int: Double] {
        // The second field is the name in parentheses; it may hold spaces and parentheses itself.
        guard let text = contents("/proc/self/stat"), let name = text.lastIndex(of: ")") else { return [:] }
        var numbers: [Int: Double] = [:]
        for (index, field) in text[text.index(after: name)...].split(separator: " ").enumerated() {
            numbers[index + 3] = Double(field)
        }
        return numbers
    }

    /// Seconds since 1970.
    static func bootTime() -> Double? {
        let line = contents("/proc/stat")?.split(separator: "\n").first { $0.hasPrefix("btime ") }
        return line.flatMap { Double($0.dropFirst(6)) }
    }

    static func openDescriptors() -> Int? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var entries = 0
        while readdir(directory) != nil { entries += 1 }
        // ".", ".." and the directory's own.
        return max(0, entries - 3)
    }

    /// Infinite where nothing but the kernel bounds them.
    static func mostDescriptors() -> Double? {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return nil }
        return limit.rlim_cur == rlim_t.max ? .infinity : Double(limit.rlim_cur)
    }

    private static func contents(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 16_384)
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            guard count > 0 else { break }
            bytes += buffer[..<count]
        }
        return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
    }
}
