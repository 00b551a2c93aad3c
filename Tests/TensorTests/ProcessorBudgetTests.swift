import Testing

@testable import Tensor

struct ProcessorBudgetTests {
    @Test(
        arguments: [
            ("200000 100000\n", 2), ("150000 100000", 1), ("50000 100000", 0), ("max 100000", nil), ("", nil),
            ("1 2 3", nil), ("-1 100000", nil), ("100000 0", nil), (nil, nil),
        ] as [(String?, Int?)])
    func quotas(text: String?, expected: Int?) {
        #expect(Compute.cgroupQuota(text) == expected)
    }

    @Test(
        arguments: [
            ("0::/system.slice/tessera.service\n", ["/system.slice/tessera.service", "/system.slice", ""]),
            ("12:cpu:/a\n0::/\n", [""]), ("0::/../other\n", [""]), ("12:cpu,cpuacct:/a\n", [""]), ("", [""]),
            (nil, [""]),
        ] as [(String?, [String])])
    func groups(text: String?, expected: [String]) {
        #expect(Compute.cgroupFolders(text) == expected.map { "/sys/fs/cgroup" + $0 })
    }

    @Test func atLeastOne() { #expect(Compute.availableProcessors >= 1) }
}
