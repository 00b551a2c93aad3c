#if defined(__x86_64__)
#include <immintrin.h>
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"))),                   \
                             apply_to = function)
#define TK_WIDTH 16
#define TK_TABLE tk_kernels_avx512
#include "kernels.inc"
#pragma clang attribute pop
#endif
