#ifndef CKERNELS_INTERNAL_H
#define CKERNELS_INTERNAL_H

#include <stddef.h>

#include "ckernels.h"

static inline long smaller(long a, long b) { return a < b ? a : b; }

static inline long round_up(long n, long to) { return (n + to - 1) / to * to; }

/// Kernels compiled once per instruction set; each runs on the calling thread over the rows it is given.
struct tk_kernels {
    void (*layer_norm)(const float *x, long rows, long width, const float *gain, const float *bias, float eps,
                       float *y);
    void (*rms_norm)(const float *x, const float *residual, long rows, long width, const float *gain, const float *bias,
                     float eps, int relu, float *y);
    void (*epilogue)(float *c, long rows, long columns, long ld, const float *bias, int activation);
    void (*softmax)(float *x, long rows, long width);
    void (*channel_sums)(const float *x, long rows, long channels, double *sums, double *squares);
    void (*scale_shift_silu)(const float *x, long rows, long channels, const float *scale, const float *shift,
                             float *y);
    void (*layer_norm_bfloat16)(const float *x, long rows, long width, const float *gain, const float *bias, float eps,
                                uint16_t *y);
    void (*to_bfloat16)(const float *x, long count, uint16_t *y);
    // On the widest vectors only; NULL elsewhere, where OpenBLAS is faster.
    void (*pack_keys_float)(const float *k, long ld, long length, float *out);
    void (*attend_float)(const float *q, long ldq, long rows, const float *keys, const float *values, long ld,
                         long length, float *out, long ldo, float *scratch);
    // NULL where the processor doesn't multiply bfloat16 numbers.
    void (*pack_keys)(const uint16_t *k, long ld, long length, uint32_t *out);
    void (*pack_values)(const uint16_t *v, long ld, long length, uint32_t *out);
    void (*attend)(const uint16_t *q, long ldq, long rows, const uint32_t *keys, const uint32_t *values, long length,
                   uint16_t *out, long ldo, float *scratch);
    // One panel of outputs.
    void (*multiply_bfloat16)(const struct tk_product *w, const struct tk_rows *x, long first, long rows, long panel,
                              int activation, int adds, const struct tk_rows *y);
    // NULL where vectors are narrower than 16 numbers. One panel of outputs.
    void (*multiply_float32)(const struct tk_product *w, const struct tk_rows *x, long first, long rows, long panel,
                             int activation, int adds, const struct tk_rows *y);
    // NULL where the processor doesn't multiply bytes. scratch: for each row the padded inputs and two floats.
    void (*multiply_bytes)(const struct tk_product *w, const struct tk_rows *x, long first, long rows, int activation,
                           int adds, const struct tk_rows *y, uint8_t *scratch);
    void (*gated)(const float *x, long rows, long width, float *y);
    void (*depthwise_row)(const float *x, long row, long height, long width, long channels, long ldx, long size,
                          const float *w, const float *bias, float *y);
    void (*nearest)(const float *query, long d, const float *codes, long stride, long first, long last, int32_t *id,
                    float *best, float *second);
    // Up to TK_DISTANCE_QUERIES of them, to codes `first` to `last` of `stride`.
    void (*distances)(const float *query, int queries, long d, const float *codes, long stride, long first, long last,
                      float *out);
    double (*exp_row)(float *x, long width, float least);
    float (*least_of)(const float *x, long count);
    void (*balance)(float *x, long rows, long columns, long ld, const float *factors, float divisor, double *sums);
    void (*winograd_strip)(const struct tk_winograd *w, long first, long tiles, const float *x, void *v, float *m,
                           float *y);
    void (*winograd_pack)(const float *weights, long inputs, long outputs, int doubles, int rounded, void *packed);
    void (*silu)(const float *x, long count, float *y);
    void (*silu_gradient)(const float *x, const float *dy, long count, float *dx);
    void (*gated_gradient)(const float *x, const float *dy, long rows, long width, float *dx);
    void (*rms_norm_gradient)(const float *x, const float *dy, long rows, long width, const float *gain, float eps,
                              float *dx, float *dgain, float *dbias);
    void (*add_column_sums)(const float *x, long rows, long width, float *sums);
    void (*depthwise_weights)(const float *x, const float *dy, long height, long width, long channels, long ldx,
                              long size, float *dw);
    void (*adamw)(float *p, const float *g, float *m, float *v, long count, const struct tk_adamw_step *settings);
};

/// A 3x3 convolution, stride 1, padding 1, by Winograd's F(4x4, 3x3), with its weights packed for a level.
struct tk_winograd {
    // Of the output.
    long height, width;
    long inputs, outputs;
    int activation, accumulate, doubles, rounded;
    const struct tk_kernels *kernels;
    const void *weights;
    const float *bias;
    // Where they are its own.
    void *owned;
};

enum {
    // At once: queries of distances, and of attention; rows of a product.
    TK_DISTANCE_QUERIES = 4,
    TK_ATTENTION_QUERIES = 6,
    TK_ROWS = 6,
    // Outputs of a product's panel; the most of a Winograd's.
    TK_PANEL = 64,
    TK_MOST_WINOGRAD_PANEL = 32,
    TK_LANE_BYTES = 4,
};

/// A product with packed weights. Inputs are padded to whole lanes and outputs to whole panels, with zeros.
struct tk_product {
    int bits;
    long outputs, inputs, padded;
    const struct tk_kernels *kernels;
    /// (outputs / panel, padded / lane, panel, lane): a lane is four bytes, two bfloat16 numbers or one of float32.
    const void *weights;
    /// Of bytes, in the weights' memory: of each output the scale of its weights and their sum.
    const float *scales, *sums;
    /// outputs numbers, or NULL.
    const float *bias;
    // Where memory is its own.
    void *owned;
    float *owned_bias;
};

extern const struct tk_kernels tk_kernels_sse2, tk_kernels_avx2, tk_kernels_avx512, tk_kernels_avx512vnni,
    tk_kernels_avx512bf16;
/// The table in force.
const struct tk_kernels *tk_active(void);
/// Puts a level in force that another thread has in force: it needs no check against the processor.
void tk_adopt_level(int level);
/// As `tk_allocate`, given back by `tk_give_scratch` on the same thread, which keeps the largest for the next:
/// megabytes taken anew cost the kernel's zeroing of every page.
void *tk_take_scratch(size_t bytes);
void tk_give_scratch(void *memory);

#endif
