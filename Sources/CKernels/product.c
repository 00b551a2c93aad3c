// Matrix products with packed weights, on kernels of our own. Of bytes (VNNI): weights have a scale for each output,
// each row of the other side its own range when it is multiplied, for which oneDNN (2.6) has no scale. Of bfloat16 and
// of float32 numbers: 321 rows at 0.97 of the processor's peak in bfloat16, GELU and residual from registers, where
// oneDNN's product is at 0.94 and its GELU takes longer than a pass over memory; SFTok's encoder took 0.95 of the time
// that it took on oneDNN in float32 (Zen 4).
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum { MOST_INPUTS_OF_BYTES = INT32_MAX / (255 * 127) };

static long panels_of(const tk_product *t) { return (t->outputs + TK_PANEL - 1) / TK_PANEL; }

static size_t bytes_of(const tk_product *t) {
    size_t columns = (size_t)(panels_of(t) * TK_PANEL), weights = columns * (size_t)t->padded * (size_t)t->bits / 8;
    return t->bits == 8 ? weights + 2 * columns * sizeof(float) : weights;
}

// Where weight `input` of an output is, counted in weights; `lane` holds so many.
static inline long place(long padded, long lane, long output, long input) {
    return output / TK_PANEL * TK_PANEL * padded + input / lane * lane * TK_PANEL + output % TK_PANEL * lane +
           input % lane;
}

struct packing {
    const tk_product *to;
    const float *weights;
};

// w ~ scale * q, q of -127 to 127.
static void pack_bytes(const struct packing *t, long output) {
    long inputs = t->to->inputs, padded = t->to->padded;
    const float *weights = t->weights + output * inputs;
    int8_t *packed = t->to->owned;
    float *scales = (float *)t->to->scales, *sums = (float *)t->to->sums;
    float most = 0;
    for (long i = 0; i < inputs; i++) most = fmaxf(most, fabsf(weights[i]));
    float scale = most / 127, inverse = scale > 0 ? 1 / scale : 0;
    double sum = 0;
    for (long i = 0; i < inputs; i++) {
        int8_t q = (int8_t)lrintf(weights[i] * inverse);
        packed[place(padded, TK_LANE_BYTES, output, i)] = q;
        sum += q;
    }
    scales[output] = scale;
    sums[output] = (float)(sum * scale);
}

static void pack_bfloat16(const struct packing *t, long output) {
    enum { AT_ONCE = 512 };
    uint16_t rounded[AT_ONCE], *packed = t->to->owned;
    long inputs = t->to->inputs, padded = t->to->padded;
    for (long first = 0; first < inputs; first += AT_ONCE) {
        long n = smaller(AT_ONCE, inputs - first);
        t->to->kernels->to_bfloat16(t->weights + output * inputs + first, n, rounded);
        for (long i = 0; i < n; i++) packed[place(padded, TK_LANE_BYTES / 2, output, first + i)] = rounded[i];
    }
}

static void pack_float32(const struct packing *t, long output) {
    long inputs = t->to->inputs;
    float *packed = t->to->owned;
    for (long i = 0; i < inputs; i++) packed[place(inputs, 1, output, i)] = t->weights[output * inputs + i];
}

static void pack_panel(void *context, long panel) {
    const struct packing *t = context;
    for (long output = panel * TK_PANEL; output < smaller((panel + 1) * TK_PANEL, t->to->outputs); output++)
        if (t->to->bits == 8) pack_bytes(t, output);
        else if (t->to->bits == 16) pack_bfloat16(t, output);
        else pack_float32(t, output);
}

// What follows the weights in their memory.
static void lay_out(tk_product *t, const void *weights) {
    t->weights = weights;
    if (t->bits != 8) return;
    t->scales = (const float *)((const int8_t *)weights + panels_of(t) * TK_PANEL * t->padded);
    t->sums = t->scales + panels_of(t) * TK_PANEL;
}

// Into memory of its own.
static void pack(tk_product *t, const float *weights, const float *bias) {
    t->owned = tk_allocate(bytes_of(t));
    memset(t->owned, 0, bytes_of(t));
    lay_out(t, t->owned);
    struct packing to = {.to = t, .weights = weights};
    tk_parallel(panels_of(t), pack_panel, &to);
    if (!bias) return;
    t->bias = t->owned_bias = tk_allocate((size_t)t->outputs * sizeof *bias);
    memcpy(t->owned_bias, bias, (size_t)t->outputs * sizeof *bias);
}

tk_product *tk_product_create(int bits, long outputs, long inputs, const void *weights, size_t packed_bytes,
                              const float *bias) {
    const struct tk_kernels *kernels = tk_active();
    bool can = bits == 8    ? kernels->multiply_bytes && inputs <= MOST_INPUTS_OF_BYTES
               : bits == 16 ? kernels->multiply_bfloat16 != NULL
                            : bits == 32 && kernels->multiply_float32;
    if (!can || inputs < 1 || outputs < 1) return NULL;
    tk_product *t = calloc(1, sizeof *t);
    if (!t) abort();
    *t = (tk_product){.bits = bits, .outputs = outputs, .inputs = inputs, .kernels = kernels};
    t->padded = round_up(inputs, TK_LANE_BYTES * 8 / bits);
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

// Packed files have these words: they stay as they are while the layout does.
const char *tk_product_layout(int bits) {
    return bits == 8    ? "bytes, panels of 64 outputs, lanes of 4 inputs, steps, sums"
           : bits == 16 ? "bfloat16, panels of 64 outputs, lanes of 2 inputs"
                        : "float32, panels of 64 outputs";
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
    t->stride = round_up(t->block * (t->w->padded + 2 * (long)sizeof(float)), 64);
    t->scratch = tk_take_scratch((size_t)(threads * t->stride));
    tk_parallel((t->rows + t->block - 1) / t->block, bytes_block, t);
    tk_give_scratch(t->scratch);
}

static void panel_block(void *context, long index) {
    const struct run *t = context;
    const struct tk_kernels *kernels = t->w->kernels;
    long first = index / t->panels * t->block, rows = smaller(t->block, t->rows - first), panel = index % t->panels;
    if (t->w->bits == 16) kernels->multiply_bfloat16(t->w, &t->x, first, rows, panel, t->activation, t->adds, &t->y);
    else kernels->multiply_float32(t->w, &t->x, first, rows, panel, t->activation, t->adds, &t->y);
}

// A panel at a time with as many rows as stay in the second cache: each weight is read from memory once for all of
// them. Fewer rows where there would not be work for all threads.
static void run_panels(struct run *t) {
    enum { CACHED_BITS = 1 << 22, TASKS = 4 };
    long room = CACHED_BITS / t->w->bits / t->w->inputs, tasks = TASKS * tk_threads();
    t->panels = panels_of(t->w);
    long blocks = (t->rows + room) / (room + 1), wanted = (tasks + t->panels - 1) / t->panels;
    if (blocks < wanted) blocks = wanted;
    t->block = round_up((t->rows + blocks - 1) / blocks, TK_ROWS);
    tk_parallel((t->rows + t->block - 1) / t->block * t->panels, panel_block, t);
}

void tk_product_run(const tk_product *w, long rows, struct tk_rows x, int activation, int adds, struct tk_rows y) {
    if (rows <= 0) return;
    struct run t = {.w = w, .x = x, .y = y, .rows = rows, .activation = activation, .adds = adds};
    if (w->bits == 8) run_bytes(&t);
    else run_panels(&t);
}
