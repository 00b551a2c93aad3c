import CLinux
import Dispatch

/// glibc's allocator, told to give memory back (mallopt(3)).
enum Allocator {
    /// By itself it keeps what threads have freed, up to 32 MiB for each of up to eight arenas a processor, and takes
    /// ever larger blocks from there: large bodies would leave a service several times as large as it was.
    static func keepLittle() {
        _ = mallopt(M_ARENA_MAX, 2)
        _ = mallopt(M_MMAP_THRESHOLD, 1 << 20)
        _ = mallopt(M_TRIM_THRESHOLD, 4 << 20)
    }

    /// Every few seconds gives back what keepLittle() doesn't reach: what was freed below a block that is still in use,
    /// as when many bodies grew side by side. Where that is little, it costs less to keep it.
    ///
    /// - Returns: what does so as long as it is held.
    static func giveBackRegularly() -> any DispatchSourceTimer {
        let timer = DispatchSource.makeTimerSource(queue: .global(qos: .utility))
        timer.schedule(deadline: .now() + .seconds(5), repeating: .seconds(5), leeway: .seconds(1))
        timer.setEventHandler {
            if mallinfo2().fordblks > 32 << 20 { _ = malloc_trim(0) }
        }
        timer.activate()
        return timer
    }
}
