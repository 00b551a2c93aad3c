#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#define TK_WIDTH 8
#define TK_TABLE tk_kernels_avx2
#include "kernels.inc"
#pragma clang attribute pop
#endif
