// Kernels of rows, each over the pool's threads in blocks that depend on the shape alone: norms, softmax, gates,
// rounding to bfloat16, group normalisation, depthwise convolution.
#include <math.h>

#include "internal.h"

static long block_rows(long width) {
    long rows = 16384 / (width > 0 ? width : 1);
    return rows < 1 ? 1 : rows;
}

struct rows {
    const float *x, *gain, *bias, *residual;
    long rows, width, block;
    float eps, *y;
    int relu;
};

static long take(const struct rows *t, long index, long *first) {
    *first = index * t->block;
    return t->rows - *first < t->block ? t->rows - *first : t->block;
}

static void over_rows(struct rows *t, void (*body)(void *, long)) {
    t->block = block_rows(t->width);
    tk_parallel((t->rows + t->block - 1) / t->block, body, t);
}

static void layer_norm_block(void *context, long index) {
    struct rows *t = context;
    long first, n = take(t, index, &first), at = first * t->width;
    tk_active()->layer_norm(t->x + at, n, t->width, t->gain, t->bias, t->eps, t->y + at);
}

void tk_layer_norm(const float *x, long rows, long width, const float *gain, const float *bias, float eps, float *y) {
    struct rows t = {.x = x, .gain = gain, .bias = bias, .rows = rows, .width = width, .eps = eps, .y = y};
    over_rows(&t, layer_norm_block);
}

struct rounded_rows {
    struct rows rows;
    uint16_t *y;
};

static void layer_norm_bfloat16_block(void *context, long index) {
    struct rounded_rows *t = context;
    long first, n = take(&t->rows, index, &first), at = first * t->rows.width;
    tk_active()->layer_norm_bfloat16(t->rows.x + at, n, t->rows.width, t->rows.gain, t->rows.bias, t->rows.eps,
                                     t->y + at);
}

void tk_layer_norm_bfloat16(const float *x, long rows, long width, const float *gain, const float *bias, float eps,
                            uint16_t *y) {
    struct rounded_rows t = {
        .rows =
            {.x = x, .gain = gain, .bias = bias, .rows = rows, .width = width, .block = block_rows(width), .eps = eps},
        .y = y};
    tk_parallel((rows + t.rows.block - 1) / t.rows.block, layer_norm_bfloat16_block, &t);
}

static void rms_norm_block(void *context, long index) {
    struct rows *t = context;
    long first, n = take(t, index, &first), at = first * t->width;
    tk_active()->rms_norm(t->x + at, t->residual ? t->residual + at : 0, n, t->width, t->gain, t->bias, t->eps, t->relu,
                          t->y + at);
}

void tk_rms_norm(const float *x, const float *residual, long rows, long width, const float *gain, const float *bias,
                 float eps, int relu, float *y) {
    struct rows t = {.x = x,
                     .gain = gain,
                     .bias = bias,
                     .residual = residual,
                     .rows = rows,
                     .width = width,
                     .eps = eps,
                     .y = y,
                     .relu = relu};
    over_rows(&t, rms_norm_block);
}

static void softmax_block(void *context, long index) {
    struct rows *t = context;
    long first, n = take(t, index, &first);
    tk_active()->softmax(t->y + first * t->width, n, t->width);
}

void tk_softmax(float *x, long rows, long width) {
    struct rows t = {.rows = rows, .width = width, .y = x};
    over_rows(&t, softmax_block);
}

static void gated_block(void *context, long index) {
    struct rows *t = context;
    long first, n = take(t, index, &first);
    tk_active()->gated(t->x + first * 2 * t->width, n, t->width, t->y + first * t->width);
}

void tk_gated(const float *x, long rows, long width, float *y) {
    struct rows t = {.x = x, .rows = rows, .width = width, .y = y};
    over_rows(&t, gated_block);
}

enum { FLAT_BLOCK = 16384 };

struct bfloat16 {
    const float *x;
    long count;
    uint16_t *y;
};

static void bfloat16_block(void *context, long index) {
    const struct bfloat16 *t = context;
    long first = index * FLAT_BLOCK;
    tk_active()->to_bfloat16(t->x + first, smaller(FLAT_BLOCK, t->count - first), t->y + first);
}

void tk_to_bfloat16(const float *x, long count, uint16_t *y) {
    struct bfloat16 t = {.x = x, .count = count, .y = y};
    tk_parallel((count + FLAT_BLOCK - 1) / FLAT_BLOCK, bfloat16_block, &t);
}

// MARK: group normalisation

enum { NORM_ROWS = 1024 };

struct group_norm {
    const float *x;
    long pixels, channels;
    double *partial;
    float *scale, *shift, *y;
};

static long norm_rows(const struct group_norm *t, long index) {
    long left = t->pixels - index * NORM_ROWS;
    return left < NORM_ROWS ? left : NORM_ROWS;
}

static void group_sums(void *context, long index) {
    struct group_norm *t = context;
    double *sums = t->partial + index * 2 * t->channels;
    tk_active()->channel_sums(t->x + index * NORM_ROWS * t->channels, norm_rows(t, index), t->channels, sums,
                              sums + t->channels);
}

static void group_apply(void *context, long index) {
    struct group_norm *t = context;
    long at = index * NORM_ROWS * t->channels;
    tk_active()->scale_shift_silu(t->x + at, norm_rows(t, index), t->channels, t->scale, t->shift, t->y + at);
}

long tk_group_norm_scratch(long pixels, long channels) {
    return ((pixels + NORM_ROWS - 1) / NORM_ROWS + 1) * 2 * channels;
}

void tk_group_norm_silu(const float *x, long pixels, long channels, long groups, const float *gain, const float *bias,
                        float eps, double *scratch, float *y) {
    long blocks = (pixels + NORM_ROWS - 1) / NORM_ROWS, each = channels / groups;
    float *scale = (float *)(scratch + blocks * 2 * channels), *shift = scale + channels;
    struct group_norm t = {
        .x = x, .pixels = pixels, .channels = channels, .partial = scratch, .scale = scale, .shift = shift, .y = y};
    tk_parallel(blocks, group_sums, &t);
    for (long g = 0; g < groups; g++) {
        double sum = 0, square = 0, count = (double)pixels * (double)each;
        for (long b = 0; b < blocks; b++)
            for (long c = g * each; c < (g + 1) * each; c++) {
                sum += scratch[b * 2 * channels + c];
                square += scratch[b * 2 * channels + channels + c];
            }
        double mean = sum / count, variance = square / count - mean * mean;
        double inverse = 1 / sqrt((variance > 0 ? variance : 0) + (double)eps);
        for (long c = g * each; c < (g + 1) * each; c++) {
            scale[c] = (float)(inverse * gain[c]);
            shift[c] = (float)(bias[c] - mean * inverse * gain[c]);
        }
    }
    tk_parallel(blocks, group_apply, &t);
}

// MARK: depthwise convolution

struct depthwise {
    const float *x, *w, *bias;
    long height, width, channels, ldx, size;
    float *y;
};

static void depthwise_row(void *context, long row) {
    struct depthwise *t = context;
    tk_active()->depthwise_row(t->x, row, t->height, t->width, t->channels, t->ldx, t->size, t->w, t->bias, t->y);
}

void tk_depthwise(const float *x, long height, long width, long channels, long ldx, long size, const float *w,
                  const float *bias, float *y) {
    struct depthwise t = {.x = x,
                          .w = w,
                          .bias = bias,
                          .height = height,
                          .width = width,
                          .channels = channels,
                          .ldx = ldx,
                          .size = size,
                          .y = y};
    tk_parallel(height, depthwise_row, &t);
}
