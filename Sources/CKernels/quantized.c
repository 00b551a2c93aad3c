// Matrix products of bytes (VNNI): weights rounded once, with a step for each output; each row of the other side when it is
// multiplied, over its own range. oneDNN (2.6) has no scale for each row.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum { ROWS = 24, MOST_INPUTS = INT32_MAX / (255 * 127) };

static long rounded_up(long n, long to) { return (n + to - 1) / to * to; }

// Outputs in whole panels.
static long columns_of(const tk_quantized *t) { return rounded_up(t->outputs, TK_QUANTIZED_PANEL); }

static size_t bytes_of(const tk_quantized *t) {
    return (size_t)(columns_of(t) * t->padded) + 3 * (size_t)columns_of(t) * sizeof(float);
}

// w ~ step * q, q of -127 to 127.
static void quantize_output(const tk_quantized *t, long output, const float *weights, float *steps, float *sums) {
    float most = 0;
    for (long i = 0; i < t->inputs; i++) most = fmaxf(most, fabsf(weights[i]));
    float step = most / 127, inverse = step > 0 ? 1 / step : 0;
    int8_t *panel = t->owned + output / TK_QUANTIZED_PANEL * TK_QUANTIZED_PANEL * t->padded;
    long of = output % TK_QUANTIZED_PANEL;
    double sum = 0;
    for (long i = 0; i < t->inputs; i++) {
        int8_t q = (int8_t)lrintf(weights[i] * inverse);
        panel[i / TK_QUANTIZED_QUADS * TK_QUANTIZED_QUADS * TK_QUANTIZED_PANEL + of * TK_QUANTIZED_QUADS + i % TK_QUANTIZED_QUADS] = q;
        sum += q;
    }
    steps[output] = step;
    sums[output] = (float)(sum * step);
}

// Where everything is in the memory that begins with the weights.
static void lay_out(tk_quantized *t, const void *weights, int has_bias) {
    t->weights = weights;
    t->steps = (const float *)(t->weights + columns_of(t) * t->padded);
    t->sums = t->steps + columns_of(t);
    t->bias = has_bias ? t->sums + columns_of(t) : NULL;
}

// Into memory of its own.
static void pack(tk_quantized *t, const float *weights, const float *bias) {
    t->owned = tk_allocate(bytes_of(t));
    memset(t->owned, 0, bytes_of(t));
    float *steps = (float *)(t->owned + columns_of(t) * t->padded), *sums = steps + columns_of(t);
    if (bias) memcpy(sums + columns_of(t), bias, (size_t)t->outputs * sizeof(float));
    for (long output = 0; output < t->outputs; output++)
        quantize_output(t, output, weights + output * t->inputs, steps, sums);
    lay_out(t, t->owned, bias != NULL);
}

tk_quantized *tk_quantized_create(long outputs, long inputs, const void *weights, size_t packed_bytes, const float *bias) {
    if (!tk_active()->multiply_bytes || inputs > MOST_INPUTS) return NULL;
    tk_quantized *t = calloc(1, sizeof *t);
    if (!t) abort();
    *t = (tk_quantized){
        .outputs = outputs, .inputs = inputs, .padded = rounded_up(inputs, TK_QUANTIZED_QUADS), .kernels = tk_active()};
    if (!packed_bytes) pack(t, weights, bias);
    else if (packed_bytes == bytes_of(t)) lay_out(t, weights, bias != NULL);
    else {
        free(t);
        return NULL;
    }
    return t;
}

const void *tk_quantized_weights(const tk_quantized *t, size_t *bytes, const float **bias) {
    *bytes = bytes_of(t);
    *bias = t->bias;
    return t->weights;
}

void tk_quantized_free(tk_quantized *t) {
    if (!t) return;
    free(t->owned);
    free(t);
}

struct run {
    const tk_quantized *w;
    struct tk_rows x, y;
    long rows, block, stride;
    int activation, adds;
    uint8_t *scratch;
};

static void block(void *context, long index) {
    const struct run *t = context;
    long first = index * t->block;
    t->w->kernels->multiply_bytes(t->w, &t->x, first, smaller(t->block, t->rows - first), t->activation, t->adds, &t->y,
                                  t->scratch + tk_thread_index() * t->stride);
}

void tk_quantized_run(const tk_quantized *w, long rows, struct tk_rows x, int activation, int adds, struct tk_rows y) {
    if (rows <= 0) return;
    // As many for each thread.
    long threads = tk_threads(), blocks = (rows + threads * ROWS - 1) / (threads * ROWS) * threads;
    struct run t = {.w = w, .x = x, .y = y, .rows = rows, .activation = activation, .adds = adds};
    t.block = (rows + blocks - 1) / blocks;
    t.stride = rounded_up(t.block * (w->padded + 2 * (long)sizeof(float)), 64);
    t.scratch = tk_take_scratch((size_t)(threads * t.stride));
    tk_parallel((rows + t.block - 1) / t.block, block, &t);
    tk_give_scratch(t.scratch);
}
