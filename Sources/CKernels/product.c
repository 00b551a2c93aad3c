// Matrix products with weights rounded once, on kernels of our own. Of bytes (VNNI): weights have a step for each output,
// each row of the other side its own range when it is multiplied, for which oneDNN (2.6) has no scale. Of bfloat16 numbers:
// at 0.98 of the processor's peak, GELU in the same pass, where oneDNN's product is at 0.94 and its GELU takes longer than
// a pass over memory (Zen 4, `make bench`).
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum { MOST_INPUTS_OF_BYTES = INT32_MAX / (255 * 127) };

static long rounded_up(long n, long to) { return (n + to - 1) / to * to; }

static long panels_of(const tk_product *t) { return (t->outputs + TK_PANEL - 1) / TK_PANEL; }

static size_t bytes_of(const tk_product *t) {
    size_t columns = (size_t)(panels_of(t) * TK_PANEL), weights = columns * (size_t)t->padded;
    return t->bits == 8 ? weights + 2 * columns * sizeof(float) : weights * sizeof(uint16_t);
}

// Where weight `input` of an output is, counted in weights.
static long place(const tk_product *t, long output, long input) {
    long lane = TK_LANE_BYTES * 8 / t->bits;
    return output / TK_PANEL * TK_PANEL * t->padded + input / lane * lane * TK_PANEL + output % TK_PANEL * lane + input % lane;
}

// w ~ step * q, q of -127 to 127.
static void pack_bytes(const tk_product *t, long output, const float *weights, int8_t *packed, float *steps, float *sums) {
    float most = 0;
    for (long i = 0; i < t->inputs; i++) most = fmaxf(most, fabsf(weights[i]));
    float step = most / 127, inverse = step > 0 ? 1 / step : 0;
    double sum = 0;
    for (long i = 0; i < t->inputs; i++) {
        int8_t q = (int8_t)lrintf(weights[i] * inverse);
        packed[place(t, output, i)] = q;
        sum += q;
    }
    steps[output] = step;
    sums[output] = (float)(sum * step);
}

static void pack_bfloat16(const tk_product *t, long output, const float *weights, uint16_t *rounded, uint16_t *packed) {
    t->kernels->to_bfloat16(weights, t->inputs, rounded);
    for (long i = 0; i < t->inputs; i++) packed[place(t, output, i)] = rounded[i];
}

// What follows the weights in their memory.
static void lay_out(tk_product *t, const void *weights) {
    t->weights = weights;
    if (t->bits != 8) return;
    t->steps = (const float *)((const int8_t *)weights + panels_of(t) * TK_PANEL * t->padded);
    t->sums = t->steps + panels_of(t) * TK_PANEL;
}

// Into memory of its own.
static void pack(tk_product *t, const float *weights, const float *bias) {
    t->owned = tk_allocate(bytes_of(t));
    memset(t->owned, 0, bytes_of(t));
    lay_out(t, t->owned);
    uint16_t *rounded = tk_allocate((size_t)t->inputs * sizeof *rounded);
    for (long output = 0; output < t->outputs; output++) {
        const float *of = weights + output * t->inputs;
        if (t->bits == 8) pack_bytes(t, output, of, t->owned, (float *)t->steps, (float *)t->sums);
        else pack_bfloat16(t, output, of, rounded, t->owned);
    }
    free(rounded);
    if (!bias) return;
    t->bias = t->owned_bias = tk_allocate((size_t)t->outputs * sizeof *bias);
    memcpy(t->owned_bias, bias, (size_t)t->outputs * sizeof *bias);
}

tk_product *tk_product_create(int bits, long outputs, long inputs, const void *weights, size_t packed_bytes, const float *bias) {
    const struct tk_kernels *kernels = tk_active();
    if (bits == 8 ? !kernels->multiply_bytes || inputs > MOST_INPUTS_OF_BYTES : !kernels->multiply_bfloat16) return NULL;
    tk_product *t = calloc(1, sizeof *t);
    if (!t) abort();
    *t = (tk_product){.bits = bits, .outputs = outputs, .inputs = inputs, .kernels = kernels};
    t->padded = rounded_up(inputs, TK_LANE_BYTES * 8 / bits);
    if (!packed_bytes) pack(t, weights, bias);
    else if (packed_bytes == bytes_of(t)) {
        lay_out(t, weights);
        t->bias = bias;
    } else {
        free(t);
        return NULL;
    }
    return t;
}

const void *tk_product_weights(const tk_product *t, size_t *bytes, const float **bias) {
    *bytes = bytes_of(t);
    *bias = t->bias;
    return t->weights;
}

void tk_product_free(tk_product *t) {
    if (!t) return;
    free(t->owned);
    free(t->owned_bias);
    free(t);
}

struct run {
    const tk_product *w;
    struct tk_rows x, y;
    long rows, block, panels, stride;
    int activation, adds;
    uint8_t *scratch;
};

static void bytes_block(void *context, long index) {
    const struct run *t = context;
    long first = index * t->block;
    t->w->kernels->multiply_bytes(t->w, &t->x, first, smaller(t->block, t->rows - first), t->activation, t->adds, &t->y,
                                  t->scratch + tk_thread_index() * t->stride);
}

// Rows become bytes once, so each goes through all weights on one thread: as many rows for each.
static void run_bytes(struct run *t) {
    enum { ROWS = 24 };
    long threads = tk_threads(), blocks = (t->rows + threads * ROWS - 1) / (threads * ROWS) * threads;
    t->block = (t->rows + blocks - 1) / blocks;
    t->stride = rounded_up(t->block * (t->w->padded + 2 * (long)sizeof(float)), 64);
    t->scratch = tk_take_scratch((size_t)(threads * t->stride));
    tk_parallel((t->rows + t->block - 1) / t->block, bytes_block, t);
    tk_give_scratch(t->scratch);
}

static void bfloat16_block(void *context, long index) {
    const struct run *t = context;
    long first = index / t->panels * t->block, panel = index % t->panels;
    t->w->kernels->multiply_bfloat16(t->w, &t->x, first, smaller(t->block, t->rows - first), panel, t->activation, t->adds,
                                     &t->y);
}

// A panel at a time with as many rows as stay in the second cache: each weight is read from memory once for all of them.
// Fewer rows where there would not be work for all threads.
static void run_bfloat16(struct run *t) {
    enum { CACHED = 1 << 18, TASKS = 4, STEP = 6 };
    long room = CACHED / t->w->inputs, tasks = TASKS * tk_threads();
    t->panels = panels_of(t->w);
    long blocks = (t->rows + room) / (room + 1), wanted = (tasks + t->panels - 1) / t->panels;
    if (blocks < wanted) blocks = wanted;
    t->block = rounded_up((t->rows + blocks - 1) / blocks, STEP);
    tk_parallel((t->rows + t->block - 1) / t->block * t->panels, bfloat16_block, t);
}

void tk_product_run(const tk_product *w, long rows, struct tk_rows x, int activation, int adds, struct tk_rows y) {
    if (rows <= 0) return;
    struct run t = {.w = w, .x = x, .y = y, .rows = rows, .activation = activation, .adds = adds};
    if (w->bits == 8) run_bytes(&t);
    else run_bfloat16(&t);
}
