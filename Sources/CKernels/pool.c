// One pool for everything: libgomp's, the one oneDNN (Debian) runs on. OpenBLAS is told to use one thread and is called
// from inside. GOMP_parallel is libgomp's entry point for `#pragma omp parallel`, called by name because the compiler
// here emits LLVM's OpenMP instead.
#define _GNU_SOURCE
#include <malloc.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"

extern void GOMP_parallel(void (*body)(void *), void *data, unsigned threads, unsigned flags);
extern int omp_get_thread_num(void);
extern void omp_set_num_threads(int);
extern int omp_get_max_threads(void);
extern int omp_get_num_threads(void);
extern int omp_in_parallel(void);
extern void openblas_set_num_threads(int);

struct job {
    void (*body)(void *, long);
    void *context;
    long count;
    int level;
    atomic_long next;
};

static void work(void *data) {
    struct job *job = data;
    tk_adopt_level(job->level);
    for (;;) {
        long i = atomic_fetch_add_explicit(&job->next, 1, memory_order_relaxed);
        if (i >= job->count) return;
        job->body(job->context, i);
    }
}

int tk_processors(void) {
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : count;
}

void tk_set_threads(int count) { omp_set_num_threads(count < 1 ? 1 : count); }

__attribute__((constructor)) static void keep_openblas_single(void) { openblas_set_num_threads(1); }

enum { HUGE_PAGE = 2 << 20 };

void *tk_allocate(size_t bytes) {
    void *memory = NULL;
    bool isLarge = bytes >= 2 * HUGE_PAGE;
    if (posix_memalign(&memory, isLarge ? HUGE_PAGE : 64, bytes) != 0) {
        fprintf(stderr, "out of memory: %zu bytes\n", bytes);
        abort();
    }
    // Fewer misses of the address cache; where the system has no such pages, nothing is lost. Of 2 MiB on, too, SFTok
    // was 1 to 2 % slower: many layers and activations then begin at the same places of the caches.
    if (isLarge) madvise(memory, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
    return memory;
}

// What a thread keeps; `bytes` stand before what it hands out.
struct scratch {
    size_t bytes;
    bool isTaken;
};

enum { SCRATCH_HEADER = 64 };
static pthread_key_t scratch_of_thread;
static pthread_once_t scratch_once = PTHREAD_ONCE_INIT;

static void open_scratch(void) {
    if (pthread_key_create(&scratch_of_thread, free) != 0) abort();
}

void *tk_take_scratch(size_t bytes) {
    pthread_once(&scratch_once, open_scratch);
    struct scratch *kept = pthread_getspecific(scratch_of_thread);
    if (!kept || kept->isTaken || kept->bytes < bytes) {
        if (kept && !kept->isTaken) {
            free(kept);
            pthread_setspecific(scratch_of_thread, NULL);
        }
        struct scratch *made = tk_allocate(SCRATCH_HEADER + bytes);
        *made = (struct scratch){bytes, true};
        return (char *)made + SCRATCH_HEADER;
    }
    kept->isTaken = true;
    return (char *)kept + SCRATCH_HEADER;
}

void tk_give_scratch(void *memory) {
    struct scratch *given = (struct scratch *)((char *)memory - SCRATCH_HEADER);
    struct scratch *kept = pthread_getspecific(scratch_of_thread);
    given->isTaken = false;
    if (kept == given) return;
    bool isKept =
        (!kept || (!kept->isTaken && kept->bytes < given->bytes)) && pthread_setspecific(scratch_of_thread, given) == 0;
    free(isKept ? kept : given);
}

void tk_return_memory(void) { malloc_trim(0); }

// Within a parallel region the latter may tell another number (OMP_NUM_THREADS=4,1), and threads' indices go beyond it.
int tk_threads(void) { return omp_in_parallel() ? omp_get_num_threads() : omp_get_max_threads(); }

int tk_thread_index(void) { return omp_get_thread_num(); }

void tk_parallel(long count, void (*body)(void *, long), void *context) {
    if (count <= 0) return;
    struct job job = {.body = body, .context = context, .count = count, .level = tk_level()};
    int threads = tk_threads();
    if (threads > count) threads = (int)count;
    if (threads == 1 || omp_in_parallel()) {
        work(&job);
    } else {
        GOMP_parallel(work, &job, (unsigned)threads, 0);
    }
}
