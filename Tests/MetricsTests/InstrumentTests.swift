import Dispatch
import Glibc
import MetricsReader
import Testing

@testable import Metrics

@Suite struct InstrumentTests {
    /// Bounds belong to the bucket below them.
    @Test(
        arguments: [
            (-1, 0), (0, 0), (0.5, 0), (1, 0), (1.0.nextUp, 1), (2, 1), (2.0.nextUp, 2), (1e300, 2), (.infinity, 2),
            (-.infinity, 0),
        ] as [(Double, Int)])
    func boundsAreInclusive(value: Double, bucket: Int) {
        let histogram = Histogram(bounds: [1, 2])
        histogram.observe(value)
        var expected: [UInt64] = [0, 0, 0]
        expected[bucket] = 1
        #expect(histogram.snapshot.counts == expected)
        #expect(histogram.snapshot.count == 1)
        #expect(histogram.snapshot.sum == value)
    }

    @Test func whatIsNoNumberIsNotCounted() {
        let histogram = Histogram(bounds: [1])
        histogram.observe([0.5, .nan, 3] as [Float])
        #expect(histogram.snapshot.counts == [1, 1])
        #expect(histogram.snapshot.sum == 3.5)
    }

    @Test func spansAreSeconds() {
        let histogram = Histogram(bounds: [0.25])
        histogram.observe(.milliseconds(250))
        histogram.observe(.milliseconds(500))
        #expect(histogram.snapshot.counts == [1, 1])
        #expect(histogram.snapshot.sum == 0.75)
    }

    @Test func withoutBoundsAllFallsIntoOne() {
        let histogram = Histogram(bounds: [])
        for value in [-1.0, 5] { histogram.observe(value) }
        #expect(histogram.snapshot.counts == [2])
    }

    @Test func membersAreMadeOnceAndKept() {
        let family = Family(labels: 2) { Counter() }
        family["a", "b"].add()
        family["a", "b"].add(4)
        family["b", "a"].add()
        #expect(family.all.map(\.values) == [["a", "b"], ["b", "a"]])
        #expect(family.all.map(\.instrument.value) == [5, 1])
    }

    /// From several threads at once, among scrapes, nothing gets lost.
    @Test func nothingIsLostBetweenThreads() throws {
        let registry = Registry()
        let counters = registry.counter("c_total", "Counted.", labels: ["k"])
        let histograms = registry.histogram("h", "Observed.", labels: ["k"], bounds: [0.5, 1.5, 2.5])
        let rounds = 2_000
        DispatchQueue.concurrentPerform(iterations: 8) { thread in
            for round in 0..<rounds {
                counters["\(round % 3)"].add()
                histograms["x"].observe(Double(round % 4))
                if round % 500 == thread {
                    #expect(throws: Never.self) { try MetricsPage(registry.text()) }
                }
            }
        }
        let page = try MetricsPage(registry.text())
        let total = (0..<3).compactMap { page.value("c_total", ["k": "\($0)"]) }.reduce(0, +)
        #expect(total == Double(8 * rounds))
        for (bound, expected) in [("0.5", 1), ("1.5", 2), ("2.5", 3), ("+Inf", 4)] {
            #expect(page.value("h_bucket", ["k": "x", "le": bound]) == Double(8 * rounds / 4 * expected))
        }
        #expect(page.value("h_sum", ["k": "x"]) == Double(8 * rounds / 4 * 6))
    }
}

@Suite struct ProcessTests {
    private func page() throws -> MetricsPage {
        let registry = Registry()
        registry.addProcess()
        return try MetricsPage(registry.text())
    }

    @Test func theSystemAgrees() throws {
        let page = try page()
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        let user = Double(usage.ru_utime.tv_sec) + Double(usage.ru_utime.tv_usec) / 1e6
        // Read before; /proc counts in hundredths, and rusage may round them differently.
        let processor = try #require(page.value("process_cpu_seconds_total"))
        let system = Double(usage.ru_stime.tv_sec) + Double(usage.ru_stime.tv_usec) / 1e6
        #expect(processor <= user + system + 0.05)
        let resident = try #require(page.value("process_resident_memory_bytes"))
        #expect(resident > 1_000_000)
        // The most that there ever was is told in KiB; both are estimates of the kernel's per thread.
        #expect(resident <= Double(usage.ru_maxrss) * 1024 + Double(32 << 20))
        #expect(try #require(page.value("process_virtual_memory_bytes")) >= resident)
        #expect(try #require(page.value("process_threads")) >= 1)
        let start = try #require(page.value("process_start_time_seconds"))
        #expect(start > 1.6e9 && start <= Double(time(nil)) + 1)
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        #expect(page.value("process_max_fds") == Double(limit.rlim_cur))
    }

    @Test func descriptorsAreCounted() throws {
        let many = (0..<200).map { _ in open("/dev/null", O_RDONLY) }
        #expect(many.allSatisfy { $0 >= 0 })
        // Other tests open and close theirs meanwhile.
        var count = 0.0
        // What was read within the last second is told again.
        for _ in 0..<60 where count < 200 {
            count = try #require(try page().value("process_open_fds"))
            if count < 200 { usleep(100_000) }
        }
        #expect(count >= 200)
        many.forEach { close($0) }
    }
}
