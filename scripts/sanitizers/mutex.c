// Preloaded by `scripts/sanitize thread`: tells ThreadSanitizer of locks that it can't see, so that none of their races
// needs to be suppressed, and every real one beside them is still found.
//
// Swift's Mutex (the standard library's Synchronization/Mutex/LinuxImpl.swift) takes a free lock by an atomic in the
// caller's own code, which is instrumented. A lock that is held goes through the library's slow paths, spins and
// futexes in code that isn't: two threads that wait for each other look as if they raced. GOMP_parallel starts and
// awaits its threads by futexes too.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>

// Not there in the processes around the tests.
extern void __tsan_acquire(void *address) __attribute__((weak));
extern void __tsan_release(void *address) __attribute__((weak));

static void acquire(void *address) {
    if (__tsan_acquire) __tsan_acquire(address);
}

static void release(void *address) {
    if (__tsan_release) __tsan_release(address);
}

static void *next(const char *name) {
    void *function = dlsym(RTLD_NEXT, name);
    if (!function) abort();
    return function;
}

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *self
#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY_LOCK "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

// Each with `self`, the lock's word, which is what the fast paths' atomics are on.
SWIFT void lock_slow(uint32_t thread, SELF) __asm__(LOCK);
SWIFT _Bool try_lock_slow(SELF) __asm__(TRY_LOCK);
SWIFT void unlock_slow(SELF) __asm__(UNLOCK);

SWIFT void lock_slow(uint32_t thread, SELF) {
    SWIFT void (*original)(uint32_t, SELF) = next(LOCK);
    original(thread, self);
    acquire(self);
}

SWIFT _Bool try_lock_slow(SELF) {
    SWIFT _Bool (*original)(SELF) = next(TRY_LOCK);
    const _Bool taken = original(self);
    if (taken) acquire(self);
    return taken;
}

SWIFT void unlock_slow(SELF) {
    SWIFT void (*original)(SELF) = next(UNLOCK);
    release(self);
    original(self);
}

struct region {
    void (*body)(void *);
    void *data;
    char begun;
    char ended;
};

static void run(void *argument) {
    struct region *region = argument;
    acquire(&region->begun);
    region->body(region->data);
    release(&region->ended);
}

void GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags) {
    void (*original)(void (*)(void *), void *, unsigned, unsigned) = next("GOMP_parallel");
    struct region region = {body, data, 0, 0};
    release(&region.begun);
    original(run, &region, threads, flags);
    acquire(&region.ended);
}
