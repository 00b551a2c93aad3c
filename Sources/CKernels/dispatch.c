#include "internal.h"

// Of this thread; the pool's threads take over that of the thread whose work they do.
static _Thread_local int chosen = -1;

int tk_best_level(void) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")) {
        if (!__builtin_cpu_supports("avx512vnni")) return TK_LEVEL_AVX512;
        return __builtin_cpu_supports("avx512bf16") ? TK_LEVEL_AVX512_BF16 : TK_LEVEL_AVX512_VNNI;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return TK_LEVEL_AVX2;
#endif
    return TK_LEVEL_SSE2;
}

int tk_set_level(int level) {
    int best = tk_best_level();
    if (level > best) level = best;
    if (level < TK_LEVEL_SSE2) level = TK_LEVEL_SSE2;
    chosen = level;
    return level;
}

void tk_adopt_level(int level) { chosen = level; }

int tk_level(void) { return chosen >= 0 ? chosen : tk_set_level(tk_best_level()); }

const struct tk_kernels *tk_active(void) {
#if defined(__x86_64__)
    switch (tk_level()) {
    case TK_LEVEL_AVX512_BF16: return &tk_kernels_avx512bf16;
    case TK_LEVEL_AVX512_VNNI: return &tk_kernels_avx512vnni;
    case TK_LEVEL_AVX512: return &tk_kernels_avx512;
    case TK_LEVEL_AVX2: return &tk_kernels_avx2;
    default: break;
    }
#endif
    return &tk_kernels_sse2;
}
