import CLinux

/// glibc's allocator, told to give memory back (mallopt(3)).
enum Allocator {
    /// By itself it keeps what threads have freed, up to 32 MiB for each of up to eight arenas a processor, and takes
    /// ever larger blocks from there: large bodies would leave a service several times as large as it was.
    static func keepLittle() {
        _ = mallopt(M_ARENA_MAX, 2)
        _ = mallopt(M_MMAP_THRESHOLD, 1 << 20)
        _ = mallopt(M_TRIM_THRESHOLD, 4 << 20)
    }
}
