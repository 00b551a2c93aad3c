// Winograd convolutions over strips of tiles: a thread takes a strip through transform, products and inverse transform
// in buffers of its own, so that what it writes it reads again from cache.
#include <stdlib.h>
#include <string.h>

#include "internal.h"

enum { STRIP_BYTES = 400 << 10, LEAST_TILES = 18 };

static long products(const tk_winograd *w) { return w->doubles ? 25 : 36; }

static size_t weights_bytes(const tk_winograd *w) {
    return (size_t)(products(w) * w->inputs * w->outputs) * (w->rounded ? sizeof(uint16_t) : sizeof(float));
}

// Into memory of its own.
static void pack(tk_winograd *w, const float *weights, const float *bias) {
    size_t bytes = weights_bytes(w), added = (size_t)w->outputs * sizeof(float);
    w->owned = tk_allocate(bytes + added);
    w->kernels->winograd_pack(weights, w->inputs, w->outputs, w->doubles, w->rounded, w->owned);
    w->weights = w->owned;
    if (bias) w->bias = memcpy((char *)w->owned + bytes, bias, added);
}

tk_winograd *tk_winograd_create(long height, long width, long inputs, long outputs, const void *weights,
                                size_t packed_bytes, const float *bias, int activation, int accumulate, int doubles,
                                int rounded) {
    if (inputs % 16 != 0 || outputs % 32 != 0 || (rounded && tk_level() < TK_LEVEL_AVX512_BF16) ||
        (doubles && (height % 2 != 0 || width % 2 != 0)))
        return NULL;
    tk_winograd *w = calloc(1, sizeof *w);
    if (!w) abort();
    *w = (tk_winograd){height,  width,   inputs,      outputs, activation, accumulate,
                       doubles, rounded, tk_active(), weights, bias,       NULL};
    if (!packed_bytes) pack(w, weights, bias);
    else if (packed_bytes != weights_bytes(w)) {
        free(w);
        return NULL;
    }
    return w;
}

const void *tk_winograd_weights(const tk_winograd *w, size_t *bytes, const float **bias) {
    *bytes = weights_bytes(w);
    *bias = w->bias;
    return w->weights;
}

const char *tk_winograd_layout(const tk_winograd *w) {
    return w->doubles ? "F(4x4, 3x3) at 1 and 2, doubled" : "F(4x4, 3x3) at 3/2 and 2/3";
}

void tk_winograd_free(tk_winograd *w) {
    if (!w) return;
    free(w->owned);
    free(w);
}

struct run {
    const tk_winograd *w;
    const float *x;
    float *y, *scratch;
    long tiles, strip, stride;
};

static void strip(void *context, long index) {
    const struct run *t = context;
    long first = index * t->strip, count = t->tiles - first < t->strip ? t->tiles - first : t->strip;
    float *m = t->scratch + tk_thread_index() * t->stride, *v = m + products(t->w) * t->strip * TK_MOST_WINOGRAD_PANEL;
    t->w->kernels->winograd_strip(t->w, first, count, t->x, v, m, t->y);
}

void tk_winograd_run(const tk_winograd *w, const float *x, float *y) {
    // The transformed input of a strip stays in a part of the second-level cache; as many strips for each thread.
    long tiles = ((w->height + 3) / 4) * ((w->width + 3) / 4), each = w->rounded ? 2 : 4, threads = tk_threads();
    long wanted = STRIP_BYTES / (products(w) * w->inputs * each);
    if (wanted < LEAST_TILES) wanted = LEAST_TILES;
    long strips = (tiles + threads * wanted - 1) / (threads * wanted) * threads;
    long size = (tiles + strips - 1) / strips;
    long stride = products(w) * size * (TK_MOST_WINOGRAD_PANEL + (w->inputs * each + 3) / 4);
    float *scratch = tk_take_scratch((size_t)(threads * stride) * sizeof(float));
    struct run t = {.w = w, .x = x, .y = y, .scratch = scratch, .tiles = tiles, .strip = size, .stride = stride};
    tk_parallel((tiles + size - 1) / size, strip, &t);
    tk_give_scratch(scratch);
}
