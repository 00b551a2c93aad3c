#ifndef CKERNELS_INTERNAL_H
#define CKERNELS_INTERNAL_H

#include "ckernels.h"

/// Kernels compiled once per instruction set; each runs on the calling thread over the rows it is given.
struct tk_kernels {
    void (*layer_norm)(const float *x, long rows, long width, const float *gain, const float *bias, float eps,
                       float *y);
    void (*rms_norm)(const float *x, const float *residual, long rows, long width, const float *gain,
                     const float *bias, float eps, int relu, float *y);
    void (*epilogue)(float *c, long rows, long columns, long ld, const float *bias, int activation,
                     const float *residual, long ldr);
    void (*softmax)(float *x, long rows, long width);
    void (*channel_sums)(const float *x, long rows, long channels, double *sums, double *squares);
    void (*scale_shift_silu)(const float *x, long rows, long channels, const float *scale, const float *shift,
                             float *y);
    void (*gated)(const float *x, long rows, long width, float *y);
    void (*depthwise_row)(const float *x, long row, long height, long width, long channels, long ldx, long size,
                          const float *w, const float *bias, float *y);
    void (*nearest)(const float *query, long d, const float *codes, long stride, long first, long last, int32_t *id,
                    float *best, float *second);
    void (*distances)(const float *query, long d, const float *codes, long count, float *out);
};

extern const struct tk_kernels tk_kernels_sse2, tk_kernels_avx2, tk_kernels_avx512;
/// The table in force.
const struct tk_kernels *tk_active(void);
/// Index of the calling thread in the team, 0 ..< tk_threads().
int tk_thread_index(void);

#endif
