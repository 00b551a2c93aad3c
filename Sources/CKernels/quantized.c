// Matrix products of bytes (VNNI): weights rounded once, with a step for each output; each row of the other side when it is
// multiplied, over its own range. oneDNN (2.6) has no scale for each row.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum { QUADS = 4, ROWS = 24 };

static long rounded_up(long n, long to) { return (n + to - 1) / to * to; }

// w ~ step * q, q of -127 to 127.
static void quantize_output(tk_quantized *t, long output, const float *weights) {
    float most = 0;
    for (long i = 0; i < t->inputs; i++) most = fmaxf(most, fabsf(weights[i]));
    float step = most / 127, inverse = step > 0 ? 1 / step : 0;
    int8_t *panel = t->weights + output / TK_QUANTIZED_PANEL * TK_QUANTIZED_PANEL * t->padded;
    long of = output % TK_QUANTIZED_PANEL;
    double sum = 0;
    for (long i = 0; i < t->inputs; i++) {
        int8_t q = (int8_t)lrintf(weights[i] * inverse);
        panel[i / QUADS * QUADS * TK_QUANTIZED_PANEL + of * QUADS + i % QUADS] = q;
        sum += q;
    }
    t->steps[output] = step;
    t->sums[output] = (float)(sum * step);
}

tk_quantized *tk_quantized_create(long outputs, long inputs, const float *weights, const float *bias) {
    if (!tk_active()->multiply_bytes) return NULL;
    tk_quantized *t = calloc(1, sizeof *t);
    if (!t) abort();
    t->outputs = outputs;
    t->inputs = inputs;
    t->padded = rounded_up(inputs, QUADS);
    t->kernels = tk_active();
    long columns = rounded_up(outputs, TK_QUANTIZED_PANEL);
    size_t bytes = (size_t)(columns * t->padded), numbers = (size_t)columns * sizeof(float);
    t->weights = tk_allocate(bytes + 3 * numbers);
    memset(t->weights, 0, bytes + 3 * numbers);
    t->steps = (float *)(t->weights + bytes);
    t->sums = t->steps + columns;
    if (bias) {
        t->bias = t->sums + columns;
        memcpy(t->bias, bias, (size_t)outputs * sizeof(float));
    }
    for (long output = 0; output < outputs; output++) quantize_output(t, output, weights + output * inputs);
    return t;
}

void tk_quantized_free(tk_quantized *t) {
    if (!t) return;
    free(t->weights);
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
