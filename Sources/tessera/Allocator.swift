import CLinux
import Dispatch

/// Settings of glibc's allocator (mallopt(3)) by which freed memory goes back to the system.
enum Allocator {
    /// By default glibc keeps what threads have freed, up to 32 MiB for each of up to eight arenas a processor, and
    /// takes ever larger blocks from there: after large bodies a service would stay several times as large as before.
    static func keepLittle() {
        _ = mallopt(M_ARENA_MAX, 2)
        _ = mallopt(M_MMAP_THRESHOLD, 1 << 20)
        _ = mallopt(M_TRIM_THRESHOLD, 4 << 20)
    }

    /// Every five seconds gives back memory that `keepLittle()` doesn't: memory freed below a block that is still in
    /// use, as after many bodies that grew at the same time. Less than 32 MiB is kept.
    ///
    /// - Returns: the timer, which runs for as long as it is referenced.
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
