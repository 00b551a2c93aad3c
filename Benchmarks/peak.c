// What the processor can do at most: products from registers alone, and reading memory.
//
//     peak THREADS > JSON
//
// GFLOP/s, two for each product that is added; `null` where there is no such instruction. fp32: FMA on 512 bits, or on
// 256. bf16: vdpbf16ps. int8: vpdpbusd. memory: GB/s of reading what fits in no cache. The best of several turns.
#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

enum { SUMS = 12, TURNS = 5, MEMORY = 256 << 20 };
static const double SPAN = 0.2;

/// Runs a loop `count` times; returns a sum, so that the compiler can't remove the loop.
typedef float (*loop)(long count);

#if defined(__x86_64__)
// Twelve sums, each a variable: products of an array's elements went through memory (GCC 12). The empty statements tell
// nothing of the sums, so that no turn can be merged with the next.
#define EACH(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#define BEGIN(I) sum##I = ZERO,
#define TURN(I) sum##I = STEP(sum##I);
#define HIDE(I) __asm__ volatile("" : "+v"(sum##I));
#define KEEP(I) kept += FIRST(sum##I);
#define BODY(VECTOR, FACTOR)                                                                                           \
    VECTOR a = FACTOR, EACH(BEGIN) b = FACTOR;                                                                         \
    for (long turn = 0; turn < count; turn++) {                                                                        \
        EACH(TURN) EACH(HIDE)                                                                                          \
    }                                                                                                                  \
    float kept = 0;                                                                                                    \
    EACH(KEEP)                                                                                                         \
    return kept;

#define ZERO _mm256_setzero_ps()
#define STEP(SUM) _mm256_fmadd_ps(a, b, SUM)
#define FIRST(SUM) _mm256_cvtss_f32(SUM)
__attribute__((target("avx2,fma"))) static float fma_256(long count) { BODY(__m256, _mm256_set1_ps(1e-3f)) }

#undef ZERO
#undef STEP
#undef FIRST
#define ZERO _mm512_setzero_ps()
#define STEP(SUM) _mm512_fmadd_ps(a, b, SUM)
#define FIRST(SUM) _mm512_cvtss_f32(SUM)
__attribute__((target("avx512f"))) static float fma_512(long count) { BODY(__m512, _mm512_set1_ps(1e-3f)) }

#undef STEP
#define STEP(SUM) _mm512_dpbf16_ps(SUM, (__m512bh)a, (__m512bh)b)
__attribute__((target("avx512f,avx512bf16"))) static float dot_bf16(long count) { BODY(__m512, _mm512_set1_ps(1e-3f)) }

#undef ZERO
#undef STEP
#undef FIRST
#define ZERO _mm512_setzero_si512()
#define STEP(SUM) _mm512_dpbusd_epi32(SUM, a, b)
#define FIRST(SUM) (float)_mm_cvtsi128_si32(_mm512_castsi512_si128(SUM))
__attribute__((target("avx512f,avx512vnni"))) static float dot_int8(long count) { BODY(__m512i, _mm512_set1_epi32(1)) }
#endif

static const float *memory;

/// Sixteen sums, which any compiler keeps in vectors.
static float read_memory(long count) {
    typedef float vector __attribute__((vector_size(64)));
    const vector *x = (const vector *)memory;
    vector sums[4] = {{0}};
    for (long at = 0; at < count; at += 4)
        for (int i = 0; i < 4; i++) sums[i] += x[at + i];
    vector sum = sums[0] + sums[1] + sums[2] + sums[3];
    return sum[0];
}

struct work {
    loop body;
    long count;
    pthread_barrier_t *barrier;
    double begin, end;
    float kept;
};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void *work(void *data) {
    struct work *work = data;
    pthread_barrier_wait(work->barrier);
    work->begin = now();
    work->kept = work->body(work->count);
    work->end = now();
    return NULL;
}

/// Seconds from the first thread's begin to the last one's end.
static double seconds(loop body, long count, int threads) {
    pthread_t handles[threads];
    struct work works[threads];
    pthread_barrier_t barrier;
    pthread_barrier_init(&barrier, NULL, (unsigned)threads);
    for (int i = 0; i < threads; i++) {
        works[i] = (struct work){body, count, &barrier, 0, 0, 0};
        if (pthread_create(&handles[i], NULL, work, &works[i]) != 0) abort();
    }
    double begin = 0, end = 0;
    for (int i = 0; i < threads; i++) {
        pthread_join(handles[i], NULL);
        if (i == 0 || works[i].begin < begin) begin = works[i].begin;
        if (works[i].end > end) end = works[i].end;
    }
    pthread_barrier_destroy(&barrier);
    return end - begin;
}

/// Turns of the loop a second, all threads together.
static double rate(loop body, int threads) {
    long count = 1 << 16;
    double best = 0, took = 0;
    while ((took = seconds(body, count, threads)) < SPAN / 4) count *= 2;
    count = (long)((double)count * SPAN / took);
    for (int turn = 0; turn < TURNS; turn++) {
        double each = (double)count * threads / seconds(body, count, threads);
        if (each > best) best = each;
    }
    return best;
}

static void print(const char *name, int is_there, loop body, double operations, int threads) {
    if (is_there) {
        printf("\"%s\": %.1f, ", name, rate(body, threads) * operations * 1e-9);
    } else {
        printf("\"%s\": null, ", name);
    }
}

int main(int count, char **arguments) {
    int threads = count == 2 ? atoi(arguments[1]) : 0;
    if (threads < 1) {
        fprintf(stderr, "usage: peak THREADS\n");
        return 2;
    }
    printf("{\"threads\": %d, ", threads);
#if defined(__x86_64__)
    int has_512 = __builtin_cpu_supports("avx512f");
    int has_256 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    print("fp32", has_512 || has_256, has_512 ? fma_512 : fma_256, SUMS * (has_512 ? 32 : 16), threads);
    print("bf16", __builtin_cpu_supports("avx512bf16"), dot_bf16, SUMS * 64, threads);
    print("int8", __builtin_cpu_supports("avx512vnni"), dot_int8, SUMS * 128, threads);
#else
    print("fp32", 0, NULL, 0, threads);
    print("bf16", 0, NULL, 0, threads);
    print("int8", 0, NULL, 0, threads);
#endif
    float *block = aligned_alloc(64, MEMORY);
    if (!block) return 2;
    for (long i = 0; i < MEMORY / 4; i++) block[i] = 1;
    memory = block;
    double best = 0;
    for (int turn = 0; turn < TURNS; turn++) {
        double each = (double)MEMORY * threads / seconds(read_memory, MEMORY / 64, threads) * 1e-9;
        if (each > best) best = each;
    }
    printf("\"memory\": %.1f}\n", best);
    return 0;
}
