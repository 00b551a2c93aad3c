// The baseline of x86-64 (and plain C on every other processor).
#define TK_WIDTH 8
#define TK_TABLE tk_kernels_sse2
#include "kernels.inc"
